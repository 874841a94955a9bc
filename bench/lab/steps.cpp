// Time of a training step in the core alone, without Python, for trials of the kernels and the passes.
//
//     cmake -S . -B build -DFASTMLP_PYTHON=OFF -DFASTMLP_BUILD_LAB=ON && cmake --build build
//     [STEPS_OPTIMIZER=sgd] [STEPS_BFLOAT16=1] build/lab_steps_v3 THREADS CASE ...
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>

#include "core/model/initialize.h"
#include "core/train/trainer.h"

using namespace fastmlp;

namespace {

#ifdef STEPS_DOUBLE
using Real = double;
#else
using Real = float;
#endif

struct Case {
    std::vector<Index> sizes;
    Index batch, rows;
    Activation hidden = Activation::relu;
    Loss loss = Loss::softmax_cross_entropy;
};

const std::map<std::string, Case> kCases{
    {"iris", {{4, 6, 3}, 75, 75}},
    {"tiny", {{10, 32, 32, 2}, 32, 2048}},
    {"digits", {{64, 100, 10}, 200, 1800}},
    {"mnist", {{784, 512, 512, 10}, 128, 8192}},
    {"higgs", {{28, 300, 300, 300, 2}, 256, 16384}},
    {"wide", {{1024, 2048, 2048, 1000}, 512, 2048}},
    {"tall", {{4, 32, 16, 4}, 10000, 10000, Activation::tanh, Loss::squared_error}},
    {"deep", {{28, 300, 300, 300, 300, 300, 1}, 100, 10000, Activation::tanh, Loss::squared_error}},
    {"sigmoid", {{784, 500, 250, 10}, 64, 8192, Activation::sigmoid}},
    {"gelu", {{64, 128, 128, 10}, 128, 8192, Activation::gelu}},
};

double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double flops(const Case& c) {
    double total = 0;
    for (std::size_t l = 0; l + 1 < c.sizes.size(); ++l)
        total += (l ? 3.0 : 2.0) * double(c.sizes[l]) * double(c.sizes[l + 1]);
    return 2 * double(c.batch) * total;
}

void run(const std::string& name, int threads, double budget, double peak) {
    const Case& c = kCases.at(name);
    Architecture a{c.sizes, std::vector<Activation>(c.sizes.size() - 1, c.hidden), c.loss};
    a.activations.back() = Activation::identity;
    Network<Real> network(a);
    for (Index l = 0; l < a.layers(); ++l)
        initialize(network, l, InitKind::uniform, std::sqrt(6.0 / double(c.sizes[std::size_t(l)])), {1});
    RandomSequence random(11, Stream::init, 99);
    std::vector<Real> X(std::size_t(c.rows * c.sizes.front())), Y(std::size_t(c.rows * c.sizes.back()));
    std::vector<std::int32_t> labels(std::size_t(c.rows));
    for (Real& x : X) x = Real(random.normal());
    for (Real& y : Y) y = Real(random.uniform());
    for (auto& label : labels) label = std::int32_t(random.below(std::uint32_t(c.sizes.back())));
    const bool classes = c.loss == Loss::softmax_cross_entropy;
    const Data<Real> data{
        .X = {X.data(), c.sizes.front()},
        .rows = c.rows,
        .targets = {classes ? labels.data() : nullptr, classes ? nullptr : Y.data(), nullptr}};
    TrainOptions options;
    options.batch_size = c.batch;
    options.threads = threads;
    if (const char* optimizer = std::getenv("STEPS_OPTIMIZER"))
        options.optimizer.kind = find_name(kOptimizers, optimizer)->second;
    options.bfloat16 = std::getenv("STEPS_BFLOAT16") != nullptr;
    const double steps = double(ceil_div(c.rows, c.batch));
    double best = 1e9, epochs = 1;
    std::vector<double> times;
    for (double spent = 0; spent < budget;) {
        options.epochs = Index(epochs);
        Trainer<Real> trainer(network, data, std::nullopt, options);
        Monitor monitor;
        const double start = seconds();
        trainer.run(monitor, {});
        const double took = seconds() - start;
        spent += took;
        if (took > 0.02) {
            times.push_back(took / epochs / steps);
            best = std::min(best, times.back());
        } else {
            epochs = std::max(epochs + 1, std::ceil(epochs * 0.03 / took));
        }
    }
    std::sort(times.begin(), times.end());
    const double t = times.empty() ? 0 : times[times.size() / 2];
    std::printf("%-8s %d thr  median %10.2f us  best %10.2f us  %7.1f GFLOP/s  %5.1f %%\n", name.c_str(),
                threads, t * 1e6, best * 1e6, flops(c) / t / 1e9,
                100 * flops(c) / t / 1e9 / (peak * threads));
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    const double peak = sizeof(Real) == 4 ? 118.2 : 59.1;
    const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
    for (int i = 2; i < argc; ++i) run(argv[i], threads, std::string(argv[i]) == "wide" ? 3.0 : 0.6, peak);
}
