// The training options as plain attributes; enumerations appear as their names.
#include "bindings.h"

namespace fastmlp {

void bind_options(py::module_& m) {
    py::class_<OptimizerOptions>(m, "OptimizerOptions")
        .def_property("kind", nullptr,
                      [](OptimizerOptions& o, const std::string& name) { o.kind = named(kOptimizers, name); })
        .def_readwrite("momentum", &OptimizerOptions::momentum)
        .def_readwrite("normalized", &OptimizerOptions::normalized)
        .def_readwrite("decay1", &OptimizerOptions::decay1)
        .def_readwrite("decay2", &OptimizerOptions::decay2)
        .def_readwrite("epsilon", &OptimizerOptions::epsilon)
        .def_readwrite("epsilon_hat", &OptimizerOptions::epsilon_hat)
        .def_readonly("weight_decay", &OptimizerOptions::weight_decay)
        .def_readonly("rate_factors", &OptimizerOptions::rate_factors);

    py::class_<RateFactors>(m, "RateFactors")
        .def_readwrite("weight", &RateFactors::weight)
        .def_readwrite("bias", &RateFactors::bias)
        .def_readwrite("scale", &RateFactors::scale)
        .def_readwrite("embedding", &RateFactors::embedding)
        .def_readwrite("alpha", &RateFactors::alpha)
        .def_readwrite("fan_in", &RateFactors::fan_in);

    py::class_<ScheduleOptions>(m, "ScheduleOptions")
        .def_property("kind", nullptr,
                      [](ScheduleOptions& o, const std::string& name) { o.kind = named(kSchedules, name); })
        .def_readwrite("rate", &ScheduleOptions::rate)
        .def_readwrite("warmup", &ScheduleOptions::warmup)
        .def_readwrite("power", &ScheduleOptions::power)
        .def_readwrite("every", &ScheduleOptions::every)
        .def_readwrite("factor", &ScheduleOptions::factor)
        .def_readwrite("final_rate", &ScheduleOptions::final_rate)
        .def_readwrite("start_rate", &ScheduleOptions::start_rate)
        .def_readwrite("rise", &ScheduleOptions::rise)
        .def_readwrite("cycles", &ScheduleOptions::cycles)
        .def_readwrite("flat", &ScheduleOptions::flat)
        .def_readwrite("patience", &ScheduleOptions::patience)
        .def_readwrite("threshold", &ScheduleOptions::threshold)
        .def_readwrite("min_rate", &ScheduleOptions::min_rate);

    py::class_<TrainOptions>(m, "TrainOptions")
        .def(py::init<>())
        .def_readonly("optimizer", &TrainOptions::optimizer)
        .def_readonly("schedule", &TrainOptions::schedule)
        .def_readonly("dropout", &TrainOptions::dropout)
        .def_readwrite("epochs", &TrainOptions::epochs)
        .def_readwrite("first_epoch", &TrainOptions::first_epoch)
        .def_readwrite("batch_size", &TrainOptions::batch_size)
        .def_readwrite("shuffle", &TrainOptions::shuffle)
        .def_readwrite("seed", &TrainOptions::seed)
        .def_readwrite("clip_norm", &TrainOptions::clip_norm)
        .def_readwrite("mean_weight", &TrainOptions::mean_weight)
        .def_readwrite("bfloat16", &TrainOptions::bfloat16)
        .def_readwrite("alpha", &TrainOptions::alpha)
        .def_readwrite("patience", &TrainOptions::patience)
        .def_readwrite("min_delta", &TrainOptions::min_delta)
        .def_readwrite("restore_best", &TrainOptions::restore_best)
        .def_readwrite("loss_target", &TrainOptions::loss_target)
        .def_readwrite("max_time", &TrainOptions::max_time)
        .def_readwrite("shard_rows", &TrainOptions::shard_rows)
        .def_readwrite("validation_shard_rows", &TrainOptions::validation_shard_rows)
        .def_readwrite("window_rows", &TrainOptions::window_rows)
        .def_readwrite("state_every", &TrainOptions::state_every)
        .def_readwrite("pause", &TrainOptions::pause)
        .def_readwrite("threads", &TrainOptions::threads);

    const LbfgsOptions by_default;
    py::class_<LbfgsOptions>(m, "LbfgsOptions")
        .def(py::init([](Index maxcor, double ftol, double gtol, Index maxiter, Index maxfun,
                         double largest_parameter) {
                 if (maxcor < 1) throw py::value_error("maxcor must be at least 1");
                 return LbfgsOptions{maxcor, ftol, gtol, maxiter, maxfun, largest_parameter};
             }),
             py::kw_only(), py::arg("maxcor") = by_default.maxcor, py::arg("ftol") = by_default.ftol,
             py::arg("gtol") = by_default.gtol, py::arg("maxiter") = by_default.maxiter,
             py::arg("maxfun") = by_default.maxfun,
             py::arg("largest_parameter") = by_default.largest_parameter);
}

}  // namespace fastmlp
