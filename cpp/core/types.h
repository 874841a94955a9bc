// Plain types shared by the whole core: indices, names of the choices, aligned memory.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#ifdef __linux__
#include <sys/mman.h>
#endif

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

enum class Activation { identity, relu, leaky_relu, elu, gelu, silu, softplus, tanh, sigmoid, softmax, exp };
// The first nine act on one element and may follow any layer; softmax and exp belong to a loss.
inline constexpr std::array<std::pair<std::string_view, Activation>, 11> kActivations{{
    {"identity", Activation::identity},
    {"relu", Activation::relu},
    {"leaky_relu", Activation::leaky_relu},
    {"elu", Activation::elu},
    {"gelu", Activation::gelu},
    {"silu", Activation::silu},
    {"softplus", Activation::softplus},
    {"tanh", Activation::tanh},
    {"sigmoid", Activation::sigmoid},
    {"softmax", Activation::softmax},
    {"exp", Activation::exp},
}};

enum class Loss {
    softmax_cross_entropy,
    binary_cross_entropy,
    squared_error,
    absolute_error,
    huber,
    quantile,
    poisson,
    hinge
};
inline constexpr std::array<std::pair<std::string_view, Loss>, 8> kLosses{{
    {"softmax_cross_entropy", Loss::softmax_cross_entropy},
    {"binary_cross_entropy", Loss::binary_cross_entropy},
    {"squared_error", Loss::squared_error},
    {"absolute_error", Loss::absolute_error},
    {"huber", Loss::huber},
    {"quantile", Loss::quantile},
    {"poisson", Loss::poisson},
    {"hinge", Loss::hinge},
}};

// The value that `name` stands for in a table of names, or the end of the table.
template <class Table>
constexpr auto find_name(const Table& table, std::string_view name) {
    return std::find_if(table.begin(), table.end(),
                        [name](const auto& entry) { return entry.first == name; });
}

// Elements from row to row of a matrix of our own: whole cache lines, and an odd number of them, so that the
// rows of a column spread over all sets of a cache.
template <class T>
constexpr Index row_stride(Index columns) {
    constexpr Index kLine = 64 / Index(sizeof(T));
    return (ceil_div(columns, kLine) | 1) * kLine;
}

// Position of the first NaN or infinity, -1 if all is finite.
template <class T>
Index first_nonfinite(const T* x, Index n) {
    constexpr Index kSums = 256 / Index(sizeof(T)), kBlock = 16 * kSums;  // sums side by side: vectors
    for (Index first = 0; first < n; first += kBlock) {
        const Index last = std::min(first + kBlock, n);
        T sums[kSums] = {};
        Index i = first;
        for (; i + kSums <= last; i += kSums)
            for (Index j = 0; j < kSums; ++j) sums[j] += x[i + j] * T(0);  // NaN if x is NaN or infinite
        for (; i < last; ++i) sums[0] += x[i] * T(0);
        T sum = 0;
        for (const T part : sums) sum += part;
        if (sum == 0) continue;
        for (i = first; i < last; ++i)
            if (!std::isfinite(x[i])) return i;
    }
    return -1;
}

// An array on a cache line, zeroed, with slack behind it: vector loads may read past the last element, never
// past the allocation. A large one comes from the system as huge pages of zeros, which are made when they are
// first touched, by the thread that touches them.
template <class T>
class AlignedBuffer {
public:
    static constexpr std::size_t kAlignment = 64;
    static constexpr Index kSlack = 64 / sizeof(T);

    AlignedBuffer() = default;
    explicit AlignedBuffer(Index size) : size_(size) {
        const std::size_t bytes = sizeof(T) * static_cast<std::size_t>(size + kSlack);
#ifdef __linux__
        if (bytes >= kHugePage) {
            // Whole huge pages, with room to align them: a tail of small ones costs 3% of a step.
            const std::size_t mapped = bytes / kHugePage * kHugePage + 2 * kHugePage;
            void* const start =
                mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (start == MAP_FAILED) throw std::bad_alloc();
            void* aligned = start;
            std::size_t room = mapped;
            std::align(kHugePage, bytes, aligned, room);
            madvise(start, mapped, MADV_HUGEPAGE);
            data_ = {static_cast<T*>(aligned), Free{start, mapped}};
            return;
        }
#endif
        data_ = {static_cast<T*>(::operator new(bytes, std::align_val_t{kAlignment})), Free{}};
        std::fill(data(), data() + size + kSlack, T(0));
    }

    T* data() const { return data_.get(); }
    Index size() const { return size_; }

private:
    static constexpr std::size_t kHugePage = std::size_t{1} << 21;

    struct Free {
        void* mapping = nullptr;
        std::size_t mapped = 0;
        void operator()(T* p) const {
#ifdef __linux__
            if (mapping) {
                munmap(mapping, mapped);
                return;
            }
#endif
            ::operator delete(p, std::align_val_t{kAlignment});
        }
    };
    std::unique_ptr<T, Free> data_{nullptr, Free{}};
    Index size_ = 0;
};

}  // namespace fastmlp
