// What every file needs: the index type, attributes of functions, and tables of names.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#if defined(_MSC_VER) && !defined(__clang__)
#define FASTMLP_INLINE __forceinline
#define FASTMLP_INLINE_LAMBDA
#define FASTMLP_NOINLINE __declspec(noinline)
#else
#define FASTMLP_INLINE inline __attribute__((always_inline))
#define FASTMLP_INLINE_LAMBDA __attribute__((always_inline))
#define FASTMLP_NOINLINE __attribute__((noinline))
#endif

namespace fastmlp {

using Index = std::ptrdiff_t;

constexpr Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }
constexpr Index round_up(Index a, Index b) { return ceil_div(a, b) * b; }

// The things first, first + 1, .., last - 1.
struct Range {
    Index first, last;
    Index size() const { return last - first; }
};

// The entry of a table of (name, value) pairs that has this name, or the end of the table.
template <class Table>
constexpr auto find_name(const Table& table, std::string_view name) {
    return std::find_if(table.begin(), table.end(),
                        [name](const auto& entry) { return entry.first == name; });
}

}  // namespace fastmlp
