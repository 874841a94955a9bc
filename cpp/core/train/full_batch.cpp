#include "core/train/full_batch.h"

#include "core/train/step.h"

namespace fastmlp {

namespace {

template <class T>
class BackpropOfAllRows : public FullBatch<T> {
public:
    BackpropOfAllRows(const Network<T>& network, const Data<T>& data, int threads)
        : network_(network),
          backprop_(network, data.rows, {.threads = threads, .entries = data.most_entries(data.rows)}),
          batch_{.X = data.X, .targets = data.targets, .rows = data.rows, .divisor = 0},
          gradient_(backprop_.layout().size()),
          flops_(network.training_flops(data.rows, data.density(network.inputs()))),
          threads_(threads) {
        batch_.divisor = batch_.weight_sum();
    }

    double loss_and_gradient(T* gradient, Monitor& monitor) override {
        backprop_.read_parameters();
        Update<T> store(backprop_.parameters(), gradient_.data(), nullptr);
        store.l2 = T(network_.architecture().l2);
        double loss = 0;
        run_team(worth_threads(flops_, threads_), &monitor, [&](const Team& team) {
            backprop_.step(team, batch_, {}, store_gradient_tiles<T>(), nullptr, [&](double of_batch) {
                if (team.rank == 0) loss = of_batch;
                return std::optional(store);
            });
        });
        backprop_.layout().unpack(gradient_.data(), gradient, threads_);
        return loss;
    }

    // The forward pass keeps no z: it is computed again from the activations below.
    void copy_z(Index layer, T* out) const override {
        const auto l = std::size_t(layer - 1);
        const Layer& shape = network_.layers()[l];
        const MatrixView<T> below = backprop_.activations(layer - 1, batch_);
        const Index ld = row_stride<T>(shape.outputs);
        const AlignedBuffer<T> z(batch_.rows * ld);
        const Product<T> product{below.data, below.ld, 1, batch_.rows, shape.outputs, shape.inputs};
        forward_tiles<T>(Activation::identity)(product, flat_weights(network_).layers[l],
                                               {z.data(), nullptr, ld},
                                               {0, TileGrid<T>::tiles(batch_.rows, shape.outputs)});
        copy({z.data(), ld}, shape.outputs, out);
    }
    void copy_a(Index layer, T* out) const override {
        const std::vector<Layer>& layers = network_.layers();
        const Index width = layer == 0 ? layers.front().inputs : layers[std::size_t(layer - 1)].outputs;
        copy(backprop_.activations(layer, batch_), width, out);
    }
    void copy_delta(Index layer, T* out) const override {
        copy(backprop_.delta(layer), network_.layers()[std::size_t(layer - 1)].outputs, out);
    }

private:
    void copy(MatrixView<T> matrix, Index width, T* out) const {
        for (Index i = 0; i < batch_.rows; ++i)
            std::copy_n(matrix.data + i * matrix.ld, width, out + i * width);
    }

    const Network<T>& network_;
    Backprop<T> backprop_;
    Batch<T> batch_;
    AlignedBuffer<T> gradient_;  // in panels
    double flops_;
    int threads_;
};

}  // namespace

template <class T>
std::unique_ptr<FullBatch<T>> make_full_batch(const Network<T>& network, const Data<T>& data, int threads) {
    return std::make_unique<BackpropOfAllRows<T>>(network, data, threads);
}

template std::unique_ptr<FullBatch<float>> make_full_batch(const Network<float>&, const Data<float>&, int);
template std::unique_ptr<FullBatch<double>> make_full_batch(const Network<double>&, const Data<double>&, int);

}  // namespace fastmlp
