// What the first layer reads of a row of X: its inputs.
//
// They are the columns of X that stay as they are; behind them, for each periodic column x, the numbers
// (x, cos(2 pi x w + b) V + c) (Gorishniy et al., 2022; with x beside the waves: Holzmueller et al., 2024);
// behind those, for each column of codes, the row of its table that the code names (the product of the code's
// one-hot row and the table would be the same). All of them may be multiplied by learned scales s.
#pragma once

#include <vector>

#include "core/model/architecture.h"

namespace fastmlp {

// The table E of an embedding, [codes, width]: row `code` are its numbers.
struct Table : Embedding {
    Index input;  // the first of its columns among the first layer's inputs
    Index size() const { return codes * width; }
};

struct PeriodicColumn : Periodic {
    Index input;  // as above
};

// The parameters of a periodic column, which lie end to end.
template <class P>
struct PeriodicArrays {
    P w, b, V, c;
    PeriodicArrays(const Periodic& shape, P begin)
        : w(begin),
          b(w + shape.frequencies),
          V(b + shape.frequencies),
          c(V + shape.frequencies * shape.waves()) {}
};

// Where the parameters of the inputs lie; scale is null where there are none.
template <class T>
struct InputWeights {
    std::vector<const T*> tables, periodic;
    const T* scale = nullptr;
};

// The shapes.
class InputBlock {
public:
    explicit InputBlock(const Architecture& architecture) : scaled_(architecture.input_scale) {
        const Index columns = architecture.sizes.front();
        std::vector<bool> plain(std::size_t(columns), true);
        for (const Embedding& e : architecture.embeddings) plain[std::size_t(e.column)] = false;
        for (const Periodic& p : architecture.periodic) plain[std::size_t(p.column)] = false;
        for (Index j = 0; j < columns; ++j)
            if (plain[std::size_t(j)]) plain_columns_.push_back(j);
        width_ = Index(plain_columns_.size());
        for (const Periodic& p : architecture.periodic) {
            periodic_.push_back({p, width_});
            width_ += p.width;
        }
        for (const Embedding& e : architecture.embeddings) {
            tables_.push_back({e, width_});
            width_ += e.width;
        }
        any_ = scaled_ || !tables_.empty() || !periodic_.empty();
    }

    bool any() const { return any_; }  // else a row of X is read as it is
    bool scaled() const { return scaled_; }
    Index width() const { return width_; }
    const std::vector<Index>& plain_columns() const { return plain_columns_; }
    const std::vector<Table>& tables() const { return tables_; }
    const std::vector<PeriodicColumn>& periodic() const { return periodic_; }

private:
    std::vector<Index> plain_columns_;  // of X
    std::vector<Table> tables_;
    std::vector<PeriodicColumn> periodic_;
    Index width_;
    bool scaled_, any_;
};

}  // namespace fastmlp
