#include "core/model/ensemble_predictor.h"

#include <cmath>
#include <mutex>

#include "core/model/inference.h"

namespace fastmlp {

namespace {

// Mean and sum of squared deviations of each of some numbers, one weighted observation after the other, by
// the recurrence of D. H. D. West, Updating mean and variance estimates, Communications of the ACM 22, 1979.
// Equal observations leave the mean as it is, to the last bit.
class Moments {
public:
    explicit Moments(Index size) : mean_(size), squares_(size) {}

    void start(Index size, bool squares) {
        std::fill_n(mean_.data(), size, 0.0);
        if (squares) std::fill_n(squares_.data(), size, 0.0);
        weight_ = 0;
    }

    // Adds an observation of each number, x(i).
    template <class Value>
    void add(double weight, Index size, bool squares, Value x) {
        const double share = weight / (weight_ + weight), spread = weight_ * share;
        double *const mean = mean_.data(), *const sums = squares_.data();
        if (squares)
            for (Index i = 0; i < size; ++i) {
                const double d = x(i) - mean[i];
                sums[i] += spread * d * d;
            }
        for (Index i = 0; i < size; ++i) mean[i] += share * (x(i) - mean[i]);
        weight_ += weight;
    }

    template <class T>
    void finish(Index size, T* mean, T* deviation) const {
        std::copy_n(mean_.data(), size, mean);
        for (Index i = 0; deviation && i < size; ++i)
            deviation[i] = T(std::sqrt(squares_.data()[i] / weight_));
    }

private:
    AlignedBuffer<double> mean_, squares_;
    double weight_ = 0;
};

// One thread's way of taking a block of rows through all networks.
class EnsemblePass {
public:
    static constexpr Index kRows = ForwardPass<float>::kRows;

    EnsemblePass(const std::vector<Member>& members, Index outputs)
        : members_(members),
          outputs_(outputs),
          moments_(kRows * outputs),
          outputs32_(kRows * outputs),
          outputs64_(kRows * outputs) {
        const auto buffers32 = std::make_shared<ForwardBuffers<float>>();
        const auto buffers64 = std::make_shared<ForwardBuffers<double>>();
        for (const Member& member : members) {
            if (const auto* network = std::get_if<const Network<float>*>(&member.network))
                passes_.emplace_back(ForwardPass<float>(**network, flat_weights(**network), buffers32));
            else {
                const Network<double>& of_doubles = *std::get<const Network<double>*>(member.network);
                passes_.emplace_back(ForwardPass<double>(of_doubles, flat_weights(of_doubles), buffers64));
            }
        }
    }

    void make_scratch(const std::vector<AnyFeatures>& X) {
        for (std::size_t m = 0; m < members_.size(); ++m) {
            const bool sparse = std::visit([](const auto& x) { return x.sparse(); }, features(X, m));
            std::visit([&](auto& pass) { pass.make_scratch(sparse); }, passes_[m]);
        }
    }

    // Mean and, unless that is null, deviation of `rows` rows, at most kRows, from the first one on. Where
    // the team has a monitor it is polled after each network; after an interrupt the rest is dropped.
    template <class T>
    void run(const Team& team, const std::vector<AnyFeatures>& X, Index first, Index rows, T* mean,
             T* deviation) {
        const Index size = rows * outputs_;
        moments_.start(size, deviation != nullptr);
        for (std::size_t m = 0; m < members_.size(); ++m) {
            if (team.monitor && team.monitor->interrupted()) return;
            if (auto* pass = std::get_if<ForwardPass<float>>(&passes_[m]))
                add(m, *pass, std::get<Features<float>>(features(X, m)).from(first), rows,
                    deviation != nullptr, outputs32_.data());
            else
                add(m, std::get<ForwardPass<double>>(passes_[m]),
                    std::get<Features<double>>(features(X, m)).from(first), rows, deviation != nullptr,
                    outputs64_.data());
            if (team.monitor && team.rank == 0) team.monitor->poll();
        }
        moments_.finish(size, mean, deviation);
    }

private:
    const AnyFeatures& features(const std::vector<AnyFeatures>& X, std::size_t member) const {
        return X[std::size_t(members_[member].features)];
    }

    template <class U>
    void add(std::size_t m, ForwardPass<U>& pass, const Features<U>& X, Index rows, bool squares, U* out) {
        const Member& member = members_[m];
        const Index O = outputs_;
        pass.run(X, rows, out);
        if (!member.scale.empty()) return add_in_units(member, rows, squares, out);
        moments_.add(member.weight, rows * O, squares, [out](Index i) { return double(out[i]); });
    }

    template <class U>
    void add_in_units(const Member& member, Index rows, bool squares, const U* out) {
        const double *const scale = member.scale.data(), *const shift = member.shift.data();
        const Index O = outputs_;
        moments_.add(member.weight, rows * O, squares,
                     [=](Index i) { return double(out[i]) * scale[i % O] + shift[i % O]; });
    }

    const std::vector<Member>& members_;
    Index outputs_;
    Moments moments_;
    AlignedBuffer<float> outputs32_;
    AlignedBuffer<double> outputs64_;
    std::vector<std::variant<ForwardPass<float>, ForwardPass<double>>> passes_;
};

template <class T>
class BlockEnsemble : public EnsemblePredictor<T> {
public:
    explicit BlockEnsemble(std::vector<Member> members)
        : members_(std::move(members)),
          outputs_(
              std::visit([](const auto* network) { return network->outputs(); }, members_.front().network)) {}

    void moments(const std::vector<AnyFeatures>& X, Index n, T* mean, T* deviation, int threads,
                 Monitor& monitor) override {
        threads = int(std::min<Index>(worth_threads(flops(X, n), threads), std::max<Index>(n, 1)));
        // Whoever finds the buffers in use makes others: to wait for them would keep threads from working.
        std::vector<EnsemblePass> others;
        const std::unique_lock lock(team_mutex_, std::try_to_lock);
        std::vector<EnsemblePass>& passes = lock ? team_passes_ : others;
        while (passes.size() < std::size_t(threads)) passes.emplace_back(members_, outputs_);
        for (EnsemblePass& pass : passes) pass.make_scratch(X);
        run_team(threads, &monitor, [&](const Team& team) {
            const auto work = [&](Index first, Index last) {
                in_blocks(passes[std::size_t(team.rank)], team, X, first, last, mean, deviation);
            };
            team.deal(n, work, EnsemblePass::kRows);
        });
    }

    void forward(const Features<T>& X, Index n, T* out, int threads, Monitor& monitor) override {
        moments({X}, n, out, nullptr, threads, monitor);
    }

    void forward_few(const T* X, Index n, T* out) override {
        const std::lock_guard lock(mutex_);
        few_.front() = Features<T>{X, std::get<const Network<T>*>(members_.front().network)->inputs()};
        if (!pass_) pass_.emplace(members_, outputs_).make_scratch(few_);
        in_blocks(*pass_, Team{}, few_, 0, n, out, nullptr);
    }

private:
    void in_blocks(EnsemblePass& pass, const Team& team, const std::vector<AnyFeatures>& X, Index first,
                   Index last, T* mean, T* deviation) const {
        for (Index i = first; i < last; i += EnsemblePass::kRows)
            pass.run(team, X, i, std::min(EnsemblePass::kRows, last - i), mean + i * outputs_,
                     deviation ? deviation + i * outputs_ : nullptr);
    }

    double flops(const std::vector<AnyFeatures>& X, Index n) const {
        double sum = 0;
        for (const Member& member : members_)
            sum += std::visit(
                [&](const auto* network) {
                    const double density =
                        std::visit([&](const auto& x) { return x.density(n, network->inputs()); },
                                   X[std::size_t(member.features)]);
                    return network->forward_flops(n, density);
                },
                member.network);
        return sum;
    }

    const std::vector<Member> members_;
    const Index outputs_;
    std::optional<EnsemblePass> pass_;
    std::vector<AnyFeatures> few_{1};
    std::mutex mutex_;  // of pass_ and few_
    std::vector<EnsemblePass> team_passes_;
    std::mutex team_mutex_;  // of team_passes_
};

}  // namespace

template <class T>
std::unique_ptr<EnsemblePredictor<T>> make_ensemble(std::vector<Member> members) {
    return std::make_unique<BlockEnsemble<T>>(std::move(members));
}

template std::unique_ptr<EnsemblePredictor<float>> make_ensemble(std::vector<Member>);
template std::unique_ptr<EnsemblePredictor<double>> make_ensemble(std::vector<Member>);

}  // namespace fastmlp
