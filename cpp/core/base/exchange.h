// What a run on several processes needs of them: to swap bytes with another one.
#pragma once

#include <cstddef>
#include <span>

namespace fastmlp {

// All processes of a run make the same calls in the same order. Their number is a power of two.
class Exchange {
public:
    Exchange(int rank, int size) : rank_(rank), size_(size) {}
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;
    virtual ~Exchange() = default;

    int rank() const { return rank_; }
    int size() const { return size_; }

    // Sends `out` to another process, which sends `in` meanwhile; each knows how much the other sends. False
    // if this swap or an earlier one failed: what came means nothing then, and the run must end.
    bool swap(int partner, std::span<const std::byte> out, std::span<std::byte> in) {
        failed_ = failed_ || !try_swap(partner, out, in);
        return !failed_;
    }
    bool failed() const { return failed_; }

protected:
    virtual bool try_swap(int partner, std::span<const std::byte> out, std::span<std::byte> in) = 0;

private:
    const int rank_, size_;
    bool failed_ = false;
};

}  // namespace fastmlp
