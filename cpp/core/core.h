// What the library of one instruction set offers: a table of functions. The bindings are compiled once, for
// any processor, and reach each library through its table; so this header and those it includes know nothing
// of vectors.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>

#include "core/base/monitor.h"
#include "core/model/ensemble.h"
#include "core/model/features.h"
#include "core/model/initialize.h"
#include "core/model/network.h"
#include "core/train/options.h"

namespace fastmlp {

// Loss and gradient of a set of rows as one batch, for one thread of Python's at a time. They can be computed
// again and again, as the network's parameters change; buffers are made once.
template <class T>
class FullBatch {
public:
    virtual ~FullBatch() = default;

    // Returns the loss, and writes the gradient laid out as the network's parameters. After an interrupt
    // neither means anything.
    virtual double loss_and_gradient(T* gradient, Monitor& monitor) = 0;

    // Of the last call: z and delta of layer 1 .. L, a of layer 0 .. L, where 0 is the input; [n, width]
    // each.
    virtual void copy_z(Index layer, T* out) const = 0;
    virtual void copy_a(Index layer, T* out) const = 0;
    virtual void copy_delta(Index layer, T* out) const = 0;
};

// Outputs for any number of rows, with buffers made once.
template <class T>
class Predictor {
public:
    virtual ~Predictor() = default;

    // Outputs of n rows, [n, outputs], on at most `threads` threads.
    virtual void forward(const Features<T>& X, Index n, T* out, int threads, Monitor& monitor) = 0;

    // The same on the calling thread, without a look at the clock: for few dense rows.
    virtual void forward_few(const T* X, Index n, T* out) = 0;
};

// The weighted mean of several networks' outputs, computed in double, network after network, and rounded to
// T. As a predictor it is for networks that all read one X of type T.
template <class T>
class EnsemblePredictor : public Predictor<T> {
public:
    // Of n rows, which the networks read from several X, [n, outputs] each: the mean and, unless that is
    // null, the standard deviation over the networks.
    virtual void moments(const std::vector<AnyFeatures>& X, Index n, T* mean, T* deviation, int threads,
                         Monitor& monitor) = 0;
};

template <class T>
struct Computations {
    TrainResult (*train)(Network<T>& network, const Data<T>& data, const std::optional<Data<T>>& validation,
                         const TrainOptions& options, RunState<T>* state, Monitor& monitor,
                         const Callbacks<T>& callbacks);
    std::unique_ptr<FullBatch<T>> (*full_batch)(const Network<T>& network, const Data<T>& data, int threads);
    std::unique_ptr<Predictor<T>> (*predictor)(const Network<T>& network);
    std::unique_ptr<EnsemblePredictor<T>> (*ensemble)(std::vector<Member> members);
    void (*initialize)(Network<T>& network, Index layer, InitKind kind, double scale, const Drawing& drawing);
    void (*initialize_table)(Network<T>& network, Index number, double scale, const Drawing& drawing);
    void (*initialize_periodic)(Network<T>& network, Index number, const Drawing& drawing);
    Index (*first_nonfinite)(const T* x, Index n, int threads);
    void (*copy)(const T* from, Index n, T* to, int threads);
};

// L-BFGS, which computes in double whatever the type of the network that is wanted.
using Minimize = LbfgsResult (*)(Network<double>& network, const Data<double>& data,
                                 const TrainOptions& options, const LbfgsOptions& lbfgs, Monitor& monitor,
                                 const Callbacks<double>& callbacks);

// One of several runs that are trained at once, and what became of it.
struct RunAmongMany {
    double seconds;                                             // an estimate
    double max_time = std::numeric_limits<double>::infinity();  // of this run, seconds
    // Trains the network; returns true to end all runs.
    std::function<bool(Monitor& monitor, BorrowedThreads& borrowed)> train;
    bool begun = false;
    std::exception_ptr error = nullptr;
};

struct ManyOptions {
    int threads = 1;
    double max_time = std::numeric_limits<double>::infinity();  // of all runs together, seconds
    std::atomic<Index>* done = nullptr;                         // counts the runs that have ended
};

using TrainMany = void (*)(std::vector<RunAmongMany>& runs, const ManyOptions& options,
                           const std::function<bool()>& interrupted);

struct BuildConfig {
    const char *isa, *compiler, *flags, *eigen, *simd;
    bool openmp;
    bool bfloat16;                  // for processors that have it
    Index tile_rows, tile_columns;  // float32
};

struct Core {
    BuildConfig build;
    int (*openmp_threads)();
    int (*openmp_processors)();
    void (*set_exact_threads)(bool exact);
    Computations<float> float32;
    Computations<double> float64;
    Minimize minimize;
    TrainMany train_many;

    template <class T>
    const Computations<T>& of() const {
        if constexpr (sizeof(T) == sizeof(float))
            return float32;
        else
            return float64;
    }
};

// The table of this library's instruction set. From the first call on, forked children are known (see
// parallel.h).
const Core& core();

// The name under which a library hands out its table: bindings of another version do not take it.
inline constexpr const char* kCoreCapsule = "fastmlp.core " FASTMLP_VERSION;

}  // namespace fastmlp
