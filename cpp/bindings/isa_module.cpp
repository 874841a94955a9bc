// The extension module _core_<isa>: the library of one instruction set, which holds nothing but its table of
// functions. It is an extension module so that Python finds and loads it like any other, on every platform.
#include <Python.h>

#include "core/core.h"

namespace {

int hand_out_table(PyObject* module) {
    PyObject* const table =
        PyCapsule_New(const_cast<fastmlp::Core*>(&fastmlp::core()), fastmlp::kCoreCapsule, nullptr);
    const int result = table ? PyModule_AddObjectRef(module, "core", table) : -1;
    Py_XDECREF(table);
    return result;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(hand_out_table)},
#ifdef Py_MOD_GIL_NOT_USED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, nullptr},
};

PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = FASTMLP_ISA_MODULE,
    .m_doc = "The functions of fastmlp's core, compiled for one instruction set.",
    .m_size = 0,
    .m_methods = nullptr,
    .m_slots = slots,
    .m_traverse = nullptr,
    .m_clear = nullptr,
    .m_free = nullptr,
};

}  // namespace

#define FASTMLP_JOIN(a, b) a##b
#define FASTMLP_INIT(isa) FASTMLP_JOIN(PyInit__core_, isa)

PyMODINIT_FUNC FASTMLP_INIT(FASTMLP_ISA)(void) { return PyModuleDef_Init(&definition); }
