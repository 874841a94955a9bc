// The table of functions of this instruction set.
#include "core/core.h"

#include "core/base/arrays.h"
#include "core/kernel/bfloat16.h"
#include "core/model/ensemble_predictor.h"
#include "core/model/inference.h"
#include "core/train/full_batch.h"
#include "core/train/lbfgs_run.h"
#include "core/train/many.h"
#include "core/train/trainer.h"

#define FASTMLP_TEXT(x) #x
#define FASTMLP_TEXT_OF(x) FASTMLP_TEXT(x)

namespace fastmlp {

namespace {

#if defined(__clang__)
constexpr const char* kCompiler = "Clang " __clang_version__;
#elif defined(__GNUC__)
constexpr const char* kCompiler = "GCC " __VERSION__;
#elif defined(_MSC_VER)
constexpr const char* kCompiler = "MSVC " FASTMLP_TEXT_OF(_MSC_VER);
#else
constexpr const char* kCompiler = "unknown";
#endif

#ifdef _OPENMP
constexpr bool kOpenMp = true;
#else
constexpr bool kOpenMp = false;
#endif

constexpr const char* kEigen = FASTMLP_TEXT_OF(EIGEN_WORLD_VERSION) "." FASTMLP_TEXT_OF(
    EIGEN_MAJOR_VERSION) "." FASTMLP_TEXT_OF(EIGEN_MINOR_VERSION);

template <class T>
constexpr Computations<T> computations() {
    return {
        .train = [](Network<T>& network, const Data<T>& data, const std::optional<Data<T>>& validation,
                    const TrainOptions& options, RunState<T>* state, Monitor& monitor,
                    const Callbacks<T>& callbacks) -> TrainResult {
            Trainer<T> trainer(network, data, validation, options, state);
            const StopReason reason = trainer.run(monitor, callbacks);
            return {trainer.take_records(), reason};
        },
        .full_batch = [](const Network<T>& network, const Data<T>& data, int threads)
            -> std::unique_ptr<FullBatch<T>> { return make_full_batch(network, data, threads); },
        .predictor = [](const Network<T>& network) -> std::unique_ptr<Predictor<T>> {
            return make_predictor(network);
        },
        .ensemble = [](std::vector<Member> members) -> std::unique_ptr<EnsemblePredictor<T>> {
            return make_ensemble<T>(std::move(members));
        },
        .initialize = initialize<T>,
        .initialize_table = initialize_table<T>,
        .initialize_periodic = initialize_periodic<T>,
        .first_nonfinite = first_nonfinite_on<T>,
        .copy = copy_on<T>,
    };
}

}  // namespace

const Core& core() {
    static const Core table = [] {
        watch_forks();
        return Core{
            .build = {.isa = FASTMLP_ISA_NAME,
                      .compiler = kCompiler,
                      .flags = FASTMLP_CXX_FLAGS,
                      .eigen = kEigen,
                      .simd = Eigen::SimdInstructionSetsInUse(),
                      .openmp = kOpenMp,
                      .bfloat16 = kHasBfloat16<float>,
                      .tile_rows = tile_rows(kTileVectors),
                      .tile_columns = kTileVectors * kLanes<float>},
            .openmp_threads = openmp_threads,
            .openmp_processors = openmp_processors,
            .set_exact_threads = set_exact_threads,
            .float32 = computations<float>(),
            .float64 = computations<double>(),
            .minimize = minimize,
            .train_many = train_many,
        };
    }();
    return table;
}

}  // namespace fastmlp
