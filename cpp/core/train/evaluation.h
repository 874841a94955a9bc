// Loss and score on a set of rows, measured again and again: buffers and constants are made once.
#pragma once

#include "core/base/shards.h"
#include "core/model/inference.h"

namespace fastmlp {

template <class T>
class Evaluation {
public:
    // Of the parameters in panels that are there when run() is called. `data` has the rows of this process's
    // shards, of those that all shards have.
    Evaluation(const Network<T>& network, const PanelLayout<T>& layout, const T* parameters,
               const Data<T>& data, const std::vector<Index>& shard_rows, const Shards& shards, int threads);

    // Called by every thread of a team; the results are there after the barrier that ends it.
    void run(const Team& team);

    // Called by one thread of each process. After a failure of the exchange they mean nothing.
    struct Result {
        double loss;   // with the l2 term
        double score;  // accuracy for classes (all outputs right), else R2 averaged over outputs
    };
    Result result() const;

private:
    void make_blocks();
    void sum_weights();
    void sum_total_squares(const std::vector<Index>& shard_rows);
    void run_block(ForwardPass<T>& pass, std::size_t block);
    void add_squares(const T* output, Index ld, Range rows, double* squares) const;

    const Network<T>& network_;
    const PanelLayout<T>& layout_;
    const T* parameters_;
    Data<T> data_;
    const Shards shards_;
    const std::vector<Range> own_rows_;  // of each own shard
    const double rows_;                  // of all
    const bool scores_classes_;
    const Index sums_;  // of a block: its losses, and right answers or the squared errors of each output
    LossFunction<T> loss_;
    std::vector<ForwardPass<T>> passes_;  // one a thread
    std::vector<Range> blocks_;           // rows, shard by shard
    std::vector<int> shard_of_;           // each block
    std::vector<double> block_sums_;      // [blocks, sums]
    double weight_sum_ = 0;
    std::vector<double> total_squares_;  // [outputs], about the mean
};

extern template class Evaluation<float>;
extern template class Evaluation<double>;

}  // namespace fastmlp
