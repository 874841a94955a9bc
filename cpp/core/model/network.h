// A multilayer perceptron: its shapes and its one flat parameter buffer.
#pragma once

#include <cmath>
#include <vector>

#include "core/base/memory.h"
#include "core/model/architecture.h"

namespace fastmlp {

// The table E of an embedding, [codes, width]: row `code` are its numbers.
struct Table {
    Index column, codes, width;
    Index weights;  // where E begins in the flat buffer
    Index input;    // the first of its columns among the first layer's inputs
    Index size() const { return codes * width; }
};

struct Layer {
    Index inputs, outputs;  // W is [inputs, outputs]
    Activation activation;
    Index weights, biases;  // where W and b begin in the flat buffer
};

// W0, b0, W1, b1, .., E0, E1, .. end to end in one aligned array. A run keeps them in panels (layout.h).
//
// The first layer's inputs are the columns of X that hold no codes and, behind them, for each column of codes
// the row of its table that the code names. (The product of the code's one-hot row and the table would be the
// same.)
template <class T>
class Network {
public:
    explicit Network(Architecture architecture) : architecture_(std::move(architecture)) {
        const std::vector<Embedding>& embeddings = architecture_.embeddings;
        std::vector<bool> embedded(static_cast<std::size_t>(inputs()));
        for (const Embedding& e : embeddings) embedded[std::size_t(e.column)] = true;
        for (Index j = 0; j < inputs(); ++j)
            if (!embedded[std::size_t(j)]) plain_columns_.push_back(j);
        Index width = Index(plain_columns_.size()), offset = 0;
        for (const Embedding& e : embeddings) {
            tables_.push_back({e.column, e.codes, e.width, 0, width});
            width += e.width;
        }
        for (Index l = 0; l < architecture_.layers(); ++l) {
            const auto at = std::size_t(l);
            const Index I = l == 0 ? width : architecture_.sizes[at], O = architecture_.sizes[at + 1];
            // Losses that take logits bring the output activation with them; the layer itself stays at z.
            const bool logits = l + 1 == architecture_.layers() && takes_logits(architecture_.loss);
            const Activation activation = logits ? Activation::identity : architecture_.activations[at];
            layers_.push_back({I, O, activation, offset, offset + I * O});
            offset += I * O + O;
        }
        dense_parameters_ = offset;
        for (Table& table : tables_) {
            table.weights = offset;
            offset += table.size();
        }
        parameters_ = AlignedBuffer<T>(offset);
        loss_parameters_.assign(architecture_.loss_parameters.begin(), architecture_.loss_parameters.end());
        loss_parameters_.resize(std::size_t(outputs()));
    }

    const Architecture& architecture() const { return architecture_; }
    const std::vector<Layer>& layers() const { return layers_; }
    const Layer& output_layer() const { return layers_.back(); }
    T* parameters() const { return parameters_.data(); }
    Index parameter_count() const { return parameters_.size(); }
    const T* loss_parameters() const { return loss_parameters_.data(); }
    const std::vector<Table>& tables() const { return tables_; }
    Index inputs() const { return architecture_.sizes.front(); }  // columns of X
    Index outputs() const { return layers_.back().outputs; }

    // Multiply-adds count twice; forward, backward and gradient products cost the same. Of the first layer's
    // only those with entries of X are made, but its update costs as much as the products of kUpdateRows
    // rows.
    double forward_flops(Index rows, double density = 1) const {
        const double missing = (1 - density) * double(inputs()) * double(layers_.front().outputs);
        return 2.0 * double(rows) * (double(dense_parameters_) - missing);
    }
    double training_flops(Index rows, double density = 1) const {
        constexpr double kUpdateRows = 4;
        return 3 * forward_flops(rows, std::min(density + kUpdateRows / double(rows), 1.0));
    }

    // An upper estimate, for narrow layers, slow activations and dropout on one busy core.
    double training_seconds(Index rows) const {
        double width = 0;
        for (const Index size : architecture_.sizes) width += double(size);
        return training_flops(rows) * 5e-11 + double(rows) * width * 2e-8;
    }

    // Writes the first layer's inputs of a row x of X; tables[j] is where the j-th one lies.
    void embed(const T* x, const std::vector<const T*>& tables, T* inputs) const {
        for (const Index column : plain_columns_) *inputs++ = x[column];
        for (std::size_t j = 0; j < tables_.size(); ++j) {
            const Table& table = tables_[j];
            inputs = std::copy_n(tables[j] + code_of(table, x) * table.width, table.width, inputs);
        }
    }

    // The code of a row x of X. Codes were checked before a run, but X is the user's memory, which may change
    // meanwhile: whatever stands there, the code is one of the table's.
    static Index code_of(const Table& table, const T* x) {
        const T code = x[table.column];
        return code >= 0 && code < T(table.codes) ? Index(code) : 0;
    }

    // The position of the first element of X [rows, inputs] that should be a code and is not; -1 if none.
    Index first_unknown_code(const T* X, Index rows) const {
        for (Index i = 0; i < rows && !tables_.empty(); ++i)
            for (const Table& table : tables_) {
                const Index at = i * inputs() + table.column;
                if (!(X[at] >= 0 && X[at] < T(table.codes) && X[at] == std::floor(X[at]))) return at;
            }
        return -1;
    }

private:
    Architecture architecture_;
    std::vector<Layer> layers_;
    std::vector<Table> tables_;
    std::vector<Index> plain_columns_;  // of X: those without codes
    Index dense_parameters_ = 0;
    AlignedBuffer<T> parameters_;
    std::vector<T> loss_parameters_;
};

}  // namespace fastmlp
