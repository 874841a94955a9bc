// Several networks that predict together.
#include "predictor.h"

namespace fastmlp {

namespace {

// X of one of the networks or of several: of either type, dense or sparse.
using AnyFeatureArrays = std::variant<Array<float>, Array<double>, SparseArrays<float>, SparseArrays<double>>;

std::pair<AnyFeatures, Index> any_features(const AnyFeatureArrays& X) {
    return std::visit(
        [](const auto& arrays) -> std::pair<AnyFeatures, Index> {
            using Arrays = std::decay_t<decltype(arrays)>;
            constexpr bool kFloat =
                std::is_same_v<Arrays, Array<float>> || std::is_same_v<Arrays, SparseArrays<float>>;
            const auto [rows, n] = features<std::conditional_t<kFloat, float, double>>(arrays);
            return {rows, n};
        },
        X);
}

template <class T>
class BoundEnsemble {
public:
    using Networks = std::vector<std::variant<const BoundNetwork<float>*, const BoundNetwork<double>*>>;
    using Units = std::optional<std::vector<std::pair<std::vector<double>, std::vector<double>>>>;

    BoundEnsemble(const Networks& networks, const std::vector<Index>& features,
                  const std::vector<double>& weights, const Units& units) {
        std::vector<Member> members;
        for (std::size_t i = 0; i < networks.size(); ++i) {
            const auto network = std::visit([](const auto* n) -> AnyNetwork { return n; }, networks[i]);
            members.push_back({network, features.at(i), weights.at(i), {}, {}});
            if (units) std::tie(members.back().scale, members.back().shift) = units->at(i);
            row_flops_ += std::visit([](const auto* n) { return n->forward_flops(1); }, network);
        }
        outputs_ = std::visit([](const auto* n) { return n->outputs(); }, networks.at(0));
        if (const auto* first = std::get_if<const BoundNetwork<T>*>(&networks[0])) first_ = *first;
        ensemble_ = core_in_use().of<T>().ensemble(std::move(members));
    }

    // (mean, deviation or None)
    py::tuple moments(const std::vector<AnyFeatureArrays>& X, int threads, bool deviation) {
        std::vector<AnyFeatures> rows;
        Index n = 0;
        for (const AnyFeatureArrays& arrays : X) std::tie(rows.emplace_back(), n) = any_features(arrays);
        Array<T> mean({n, outputs_});
        std::optional<Array<T>> deviations;
        if (deviation) deviations.emplace(std::vector<Index>{n, outputs_});
        T* const means = mean.mutable_data();
        T* const others = deviation ? deviations->mutable_data() : nullptr;
        interruptible(
            [&](Monitor& monitor) { ensemble_->moments(rows, n, means, others, threads, monitor); });
        return py::make_tuple(mean, deviations);
    }

    // Of networks that all read one X of type T.
    std::unique_ptr<BoundPredictor<T>> predictor() const {
        if (!first_) throw py::value_error("the networks read several X");
        return std::make_unique<BoundPredictor<T>>(*first_, ensemble_, row_flops_);
    }

private:
    std::shared_ptr<EnsemblePredictor<T>> ensemble_;
    const BoundNetwork<T>* first_ = nullptr;
    double row_flops_ = 0;
    Index outputs_;
};

}  // namespace

template <class T>
void bind_ensemble(py::module_& m, const char* name) {
    using Bound = BoundEnsemble<T>;
    py::class_<Bound>(m, name)
        .def(py::init<const typename Bound::Networks&, const std::vector<Index>&, const std::vector<double>&,
                      const typename Bound::Units&>(),
             py::arg("networks"), py::arg("features"), py::arg("weights"), py::arg("units"),
             py::keep_alive<1, 2>())
        .def("moments", &Bound::moments, py::arg("X").noconvert(), py::arg("threads"), py::arg("deviation"))
        .def("predictor", &Bound::predictor, py::keep_alive<0, 1>());
}

template void bind_ensemble<float>(py::module_&, const char*);
template void bind_ensemble<double>(py::module_&, const char*);

}  // namespace fastmlp
