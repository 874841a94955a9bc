// Time of a training step of the core on one thread, without Python, split in two: from the rows to the
// deltas, and the gradients with their update. The best of many turns, and the mean.
//
//     cmake -S . -B build -DFASTMLP_PYTHON=OFF -DFASTMLP_BUILD_LAB=ON && cmake --build build
//     build/lab_passes_v3 mnist higgs
#include <chrono>
#include <cstdio>
#include <map>
#include <string>

#include "core/model/initialize.h"
#include "core/train/trainer.h"

using namespace fastmlp;

namespace {

struct Case {
    std::vector<Index> sizes;
    Index batch;
};

const std::map<std::string, Case> kCases{
    {"iris", {{4, 6, 3}, 75}},
    {"tiny", {{10, 32, 32, 2}, 32}},
    {"digits", {{64, 100, 10}, 200}},
    {"mnist", {{784, 512, 512, 10}, 128}},
    {"higgs", {{28, 300, 300, 300, 2}, 256}},
    {"wide", {{1024, 2048, 2048, 1000}, 512}},
};

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Time {
    double best = 1e9, total = 0;
    long turns = 0;
    void add(double seconds) {
        best = std::min(best, seconds);
        total += seconds;
        ++turns;
    }
    double best_us() const { return best * 1e6; }
    double mean_us() const { return total / double(turns) * 1e6; }
};

void run(const std::string& name) {
    const Case& c = kCases.at(name);
    constexpr Index kBatches = 16;
    const Index rows = kBatches * c.batch, inputs = c.sizes.front();
    Architecture a{c.sizes, std::vector<Activation>(c.sizes.size() - 1, Activation::relu),
                   Loss::softmax_cross_entropy};
    a.activations.back() = Activation::identity;
    Network<float> network(a);
    for (Index l = 0; l < a.layers(); ++l)
        initialize(network, l, InitKind::uniform, std::sqrt(6.0 / double(c.sizes[std::size_t(l)])), {1});
    RandomSequence random(11, Stream::init, 99);
    std::vector<float> X(std::size_t(rows * inputs));
    std::vector<std::int32_t> labels(std::size_t(rows), 0);
    std::vector<std::uint32_t> order(std::size_t(rows), 0u);
    for (float& x : X) x = float(random.normal());
    for (auto& label : labels) label = std::int32_t(random.below(std::uint32_t(c.sizes.back())));
    permutation(1, Stream::shuffle, 0, order.data(), rows);

    Backprop<float> backprop(network, c.batch, {.gather = true});
    const AlignedBuffer<float> m(backprop.layout().size()), v(backprop.layout().size());
    const Update<float> update(backprop.parameters(), m.data(), v.data(), OptimizerOptions{}, 1e-4, 0, 10);
    Time deltas, adam, sgd;
    for (const double start = now(); now() - start < 1.5;)
        for (Index b = 0; b < kBatches; ++b)
            for (Time* gradients : {&adam, &sgd}) {
                const Batch<float> batch{.X = {X.data(), inputs},
                                         .targets = {labels.data(), nullptr, nullptr},
                                         .order = order.data() + b * c.batch,
                                         .rows = c.batch,
                                         .divisor = double(c.batch)};
                const GradientTiles<float> tiles =
                    gradient_tiles<float>(gradients == &adam ? Optimizer::adam : Optimizer::sgd);
                const double begin = now();
                double middle = begin;
                backprop.step(Team{}, batch, {}, tiles, nullptr, [&](double) {
                    middle = now();
                    return std::optional(update);
                });
                deltas.add(middle - begin);
                gradients->add(now() - middle);
            }
    std::printf(
        "%-7s deltas %8.1f us (mean %8.1f)   gradients, Adam %8.1f us (mean %8.1f)   SGD %8.1f us (mean "
        "%8.1f)\n",
        name.c_str(), deltas.best_us(), deltas.mean_us(), adam.best_us(), adam.mean_us(), sgd.best_us(),
        sgd.mean_us());
}

}  // namespace

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) run(argv[i]);
}
