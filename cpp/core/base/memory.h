// Aligned arrays, and several of them in one allocation.
#pragma once

#include <memory>
#include <new>
#include <utility>
#include <vector>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "core/base/types.h"

namespace fastmlp {

// Elements from row to row of a matrix of our own: whole cache lines, and an odd number of them. With an even
// number the rows of one column would share few sets of the cache and push each other out.
template <class T>
constexpr Index row_stride(Index columns) {
    constexpr Index kLine = 64 / Index(sizeof(T));
    return (ceil_div(columns, kLine) | 1) * kLine;
}

// An array of zeros that begins on a cache line. Behind its end lies slack, so that a vector may be loaded at
// any element. A large array is mapped as huge pages; the system makes each page when a thread first touches
// it, in that thread's memory.
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
            // Whole huge pages, and one more to align them: a tail of small pages costs 3% of a step.
            const std::size_t mapped = bytes / kHugePage * kHugePage + 2 * kHugePage;
            void* const start =
                mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (start == MAP_FAILED) throw std::bad_alloc();
            void* aligned = start;
            std::size_t space = mapped;
            std::align(kHugePage, bytes, aligned, space);
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

// Several arrays in one allocation: together they are large enough for huge pages, each alone might not be.
template <class T>
class Arena {
public:
    // `array` will point to `size` elements once allocate() is called; it must stay where it is until then.
    // An array of no elements stays as it is.
    void request(T*& array, Index size) {
        if (size == 0) return;
        requests_.emplace_back(&array, total_);
        total_ += round_up(size, AlignedBuffer<T>::kSlack);
    }

    void allocate() {
        memory_ = AlignedBuffer<T>(total_);
        for (const auto& [array, offset] : requests_) *array = memory_.data() + offset;
        requests_.clear();
    }

private:
    std::vector<std::pair<T**, Index>> requests_;
    Index total_ = 0;
    AlignedBuffer<T> memory_;
};

}  // namespace fastmlp
