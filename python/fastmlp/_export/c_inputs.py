"""C99 statements of what the first layer reads: plain columns, periodic ones and the rows of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastmlp._export import common
from fastmlp._export.c_text import Source

if TYPE_CHECKING:
    from fastmlp._model.model import Model

_CODE = """\
/* the row of a table of n rows; a code that is none of them is taken for 0 */
static inline size_t ${name}_code($real code, size_t n)
{
    return code >= 0 && code < n ? (size_t)code : 0;
}
"""

_PERIODIC = """\
/* out = (x, cos(2 pi (x w + b)) V + c), with V of k rows and n columns; whole turns are taken off, so that
   large ones keep their digits: then cos(2 pi t) is sin(2 pi (1/4 - |t|)) */
static inline void ${name}_periodic($real x, const $real *w, const $real *b, const $real *V, const $real *c,
                                   size_t k, size_t n, $real *out)
{
    out[0] = x;
    for (size_t j = 0; j < n; j++)
        out[1 + j] = c[j];
    for (size_t i = 0; i < k; i++) {
        const $real turns = x * w[i], t = turns - rint$f(turns) + b[i];
        const $real wave = sin$f(6.28318530717958647693$f * (0.25$f - fabs$f(t - rint$f(t))));
        for (size_t j = 0; j < n; j++)
            out[1 + j] += wave * V[i * n + j];
    }
}
"""


def write_inputs(source: Source, network: Model, width: int) -> tuple[list[str], str]:
    """Return the statements that fill an array with the first layer's inputs, and the array's name.

    Where these are X as it is, there are no statements.
    """
    embeddings, periodic = common.embeddings(network), common.periodic(network)
    if not embeddings and not periodic and network.scale is None:
        return [], "x"
    plain = common.plain_columns(network)
    body = [f"$real e[{width}];"] + [f"e[{i}] = x[{column}];" for i, column in enumerate(plain)]
    at = len(plain)
    for i, waves in enumerate(periodic):
        source.once(_PERIODIC)
        arrays = waves._asdict()
        column = arrays.pop("column")
        for letter, values in arrays.items():
            source.numbers(f"periodic{i}_{letter}", values)
        given = ", ".join(f"${{name}}_${{part}}periodic{i}_{letter}" for letter in arrays)
        k, n = waves.V.shape
        body.append(f"${{name}}_periodic(x[{column}], {given}, {k}, {n}, e + {at});")
        at += 1 + n
    for i, (column, table) in enumerate(embeddings):
        source.once(_CODE)
        source.numbers(f"table{i}", table)
        codes, size = table.shape
        row = f"${{name}}_${{part}}table{i} + {size} * ${{name}}_code(x[{column}], {codes})"
        body.append(f"memcpy(e + {at}, {row}, {size} * sizeof *e);")
        at += size
    if network.scale is not None:
        source.numbers("scale", network.scale)
        body += [f"for (size_t i = 0; i < {width}; i++)", "    e[i] *= ${name}_${part}scale[i];"]
    return body, "e"
