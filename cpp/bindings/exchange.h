// The other processes of a run, reached through Python.
#pragma once

#include "bindings.h"
#include "python_calls.h"

namespace fastmlp {

// `processes` has rank, size and swap(partner, out, into), which is called with the core's own memory, but no
// more after an exception: the others do not go on with this process.
class PythonExchange : public Exchange {
public:
    PythonExchange(PythonCalls& python, const py::object& processes)
        : Exchange(processes.attr("rank").cast<int>(), processes.attr("size").cast<int>()),
          python_(python),
          swap_(processes.attr("swap")) {}

protected:
    bool try_swap(int partner, std::span<const std::byte> out, std::span<std::byte> in) override {
        static std::byte nothing;  // Python wants an address for a buffer without bytes too
        return !python_.raised() && !python_.stops([&] {
            swap_(partner,
                  py::memoryview::from_memory(out.empty() ? &nothing : out.data(), Index(out.size())),
                  py::memoryview::from_memory(in.empty() ? &nothing : in.data(), Index(in.size())));
            return false;
        });
    }

private:
    PythonCalls& python_;
    const py::object swap_;
};

}  // namespace fastmlp
