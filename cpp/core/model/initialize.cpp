#include "core/model/initialize.h"

#include "core/base/parallel.h"
#include "core/base/random.h"

namespace fastmlp {

namespace {

constexpr std::uint32_t kStream = static_cast<std::uint32_t>(Stream::init);
constexpr Index kBlockNumbers = 2;  // of a block of random words, of either kind
constexpr Index kTask = 1 << 15;    // numbers

// Numbers first .. last of W; first is a multiple of kTask.
template <class T>
void draw_uniform(T* W, Index first, Index last, double scale, std::uint64_t seed, std::uint32_t substream) {
    constexpr Index kNumbers = kBlockNumbers * kPhiloxBlocks;
    PhiloxBlocks words;
    T numbers[kNumbers];
    for (; first < last; first += kNumbers) {
        philox_blocks(seed, std::uint64_t(first / kBlockNumbers), substream, kStream, words);
        for (std::size_t i = 0; i < std::size_t(kNumbers); ++i)
            numbers[i] = T(scale * (2 * uniform_of(words[2 * i], words[2 * i + 1]) - 1));
        std::copy_n(numbers, std::min(kNumbers, last - first), W + first);
    }
}

template <class T>
void draw_normal(T* W, Index first, Index last, double scale, std::uint64_t seed, std::uint32_t substream) {
    RandomSequence random(seed, Stream::init, substream, std::uint64_t(first / kBlockNumbers));
    for (Index i = first; i < last; ++i) W[i] = T(scale * random.normal());
}

template <class T>
void draw(T* W, Index n, InitKind kind, double scale, std::uint32_t substream, const Drawing& drawing) {
    constexpr double kUniformFlops = 50, kNormalFlops = 500;  // that take as long as a number
    if (kind == InitKind::zeros) {
        std::fill_n(W, n, T(0));
        return;
    }
    const bool normal = kind == InitKind::normal;
    const auto draw_part = normal ? draw_normal<T> : draw_uniform<T>;
    const int threads = worth_threads(double(n) * (normal ? kNormalFlops : kUniformFlops), drawing.threads);
    run_team(threads, drawing.monitor, [&](const Team& team) {
        team.deal(ceil_div(n, kTask), [&](Index first, Index last) {
            draw_part(W, first * kTask, std::min(last * kTask, n), scale, drawing.seed, substream);
        });
    });
}

}  // namespace

template <class T>
void initialize(Network<T>& network, Index layer, InitKind kind, double scale, const Drawing& drawing) {
    const Layer& shape = network.layers()[std::size_t(layer)];
    draw(network.parameters() + shape.weights, shape.inputs * shape.outputs, kind, scale,
         std::uint32_t(layer), drawing);
    std::fill_n(network.parameters() + shape.biases, shape.outputs, T(0));
}

template <class T>
void initialize_table(Network<T>& network, Index number, double scale, const Drawing& drawing) {
    const ParameterArray& table = network.arrays()[std::size_t(number)];
    draw(network.parameters() + table.begin, table.size, InitKind::uniform, scale,
         std::uint32_t(network.architecture().layers() + number), drawing);
}

template <class T>
void initialize_periodic(Network<T>& network, Index number, const Drawing& drawing) {
    const auto tables = Index(network.tables().size());
    const Periodic& shape = network.architecture().periodic[std::size_t(number)];
    T* const begin = network.parameters() + network.arrays()[std::size_t(tables + number)].begin;
    const PeriodicArrays<T*> p(shape, begin);
    const auto first = std::uint32_t(network.architecture().layers() + tables + 3 * number);
    draw(p.w, shape.frequencies, InitKind::normal, 0.1, first, drawing);
    draw(p.b, shape.frequencies, InitKind::uniform, 3.14159265358979323846, first + 1, drawing);
    draw(p.V, begin + shape.size() - p.V, InitKind::uniform, 1 / std::sqrt(double(shape.frequencies)),
         first + 2, drawing);
}

template void initialize(Network<float>&, Index, InitKind, double, const Drawing&);
template void initialize(Network<double>&, Index, InitKind, double, const Drawing&);
template void initialize_table(Network<float>&, Index, double, const Drawing&);
template void initialize_table(Network<double>&, Index, double, const Drawing&);
template void initialize_periodic(Network<float>&, Index, const Drawing&);
template void initialize_periodic(Network<double>&, Index, const Drawing&);

}  // namespace fastmlp
