// The tile product in bfloat16 against that in float32, on one thread: first compared with plain arithmetic,
// then timed in turns, with the packing of the second factor, which both have once a panel.
//
//     cmake -S . -B build -DFASTMLP_PYTHON=OFF -DFASTMLP_BUILD_LAB=ON -DFASTMLP_ISAS=v4 && cmake --build
//     build build/lab_bfloat16_v4
#include <bit>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

#include "core/base/memory.h"
#include "core/kernel/bfloat16_panels.h"

using namespace fastmlp;

namespace {

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Store {
    float* c;
    Index ld;
    template <int V>
    Store panel(Index j) const {
        return {c + j, ld};
    }
    FASTMLP_INLINE void operator()(Index i, int v, int, Packet<float> x) const {
        simd::store(c + i * ld + v * kLanes<float>, x);
    }
};

float rounded(float x) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
    return std::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u);
}

Pair pair(float even, float odd) {
    return std::bit_cast<std::uint32_t>(rounded(even)) >> 16 | std::bit_cast<std::uint32_t>(rounded(odd));
}

struct Shape {
    const char* name;
    Index M, N, K;
};

bool run(const Shape& s) {
    const Index lda = row_stride<float>(s.K), ldp = row_stride<Pair>(ceil_div(s.K, 2)),
                ldb = row_stride<float>(s.N);
    AlignedBuffer<float> a(s.M * lda), b(s.K * ldb), c(s.M * ldb), c32(s.M * ldb);
    AlignedBuffer<Pair> pairs(s.M * ldp), scratch(panel_size<float>(s.K));
    AlignedBuffer<float> scratch32(panel_size<float>(s.K));
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (Index i = 0; i < s.M; ++i)
        for (Index k = 0; k < s.K; ++k) a.data()[i * lda + k] = normal(random);
    for (Index k = 0; k < s.K; ++k)
        for (Index j = 0; j < s.N; ++j) b.data()[k * ldb + j] = normal(random);
    for (Index i = 0; i < s.M; ++i)
        for (Index k = 0; k < s.K; k += 2)
            pairs.data()[i * ldp + k / 2] =
                pair(a.data()[i * lda + k], k + 1 < s.K ? a.data()[i * lda + k + 1] : 0);

    const PairProduct<float> p{pairs.data(), ldp, 1, s.M, s.N, ceil_div(s.K, 2)};
    const Product<float> p32{a.data(), lda, 1, s.M, s.N, s.K};
    const MatrixPairs<float> panels{b.data(), ldb, s.K, scratch.data()};
    const MatrixPanels<float> panels32{b.data(), ldb, s.K, scratch32.data()};
    const Range tiles{0, TileGrid<float>::tiles(s.M, s.N)};
    const Store store{c.data(), ldb}, store32{c32.data(), ldb};
    multiply(p, panels, tiles, store);
    for (Index i = 0; i < s.M; i += s.M / 9 + 1)
        for (Index j = 0; j < s.N; ++j) {
            float sum = 0;
            for (Index k = 0; k < s.K; ++k) {
                const Index n = (k ^ 1) < s.K ? k ^ 1 : k;
                sum += rounded(a.data()[i * lda + n]) * rounded(b.data()[n * ldb + j]);
            }
            if (sum == c.data()[i * ldb + j]) continue;
            std::printf("%s: C[%td, %td] is %.9g in place of %.9g\n", s.name, i, j,
                        double(c.data()[i * ldb + j]), double(sum));
            return false;
        }
    const double flops = 2.0 * double(s.M) * double(s.N) * double(s.K);
    const int turns = std::max(1, int(1e8 / flops));
    double best = 1e9, best32 = 1e9;
    for (const double start = now(); now() - start < 1;) {
        double begin = now();
        for (int turn = 0; turn < turns; ++turn) multiply(p, panels, tiles, store);
        best = std::min(best, (now() - begin) / turns);
        begin = now();
        for (int turn = 0; turn < turns; ++turn) multiply(p32, panels32, tiles, store32);
        best32 = std::min(best32, (now() - begin) / turns);
    }
    std::printf(
        "%-20s %5td x %4td x %4td   float32 %9.1f us %6.1f GFLOP/s   bfloat16 %9.1f us %6.1f GFLOP/s   x "
        "%.2f\n",
        s.name, s.M, s.N, s.K, best32 * 1e6, flops / best32 / 1e9, best * 1e6, flops / best / 1e9,
        best32 / best);
    return true;
}

}  // namespace

int main() {
    bool right = true;
    for (const Shape& s : {Shape{"mnist forward", 128, 512, 784}, Shape{"mnist gradient", 784, 512, 128},
                           Shape{"higgs forward", 256, 300, 300}, Shape{"higgs gradient", 300, 300, 256},
                           Shape{"wide forward", 512, 2048, 1024}, Shape{"wide gradient", 2048, 2048, 512},
                           Shape{"higgs output", 256, 2, 300}, Shape{"odd", 131, 77, 33}})
        right = run(s) && right;
    return right ? 0 : 1;
}
