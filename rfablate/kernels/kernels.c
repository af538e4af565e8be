/* The loops over cells and nodes of a time step, called from Python through cffi. No MPI, no allocation, no state.

   Notation: n nodes or rows of this rank (owned first, then ghosts), c a cell, g its element stiffness
       g_ij = integral grad N_i . grad N_j   over the cell, i < j,  pairs in the order (0,1) (0,2) (0,3) (1,2) (1,3) (2,3).
   elements.py derives g, matrix.py the matrices, multigrid.py the V-cycle.

   Matrices are stored in slices of SLICE rows ("sliced ELLPACK"): entry k of row i of slice s is at start[s] + SLICE k + i,
   and short rows are padded with zeros. The inner loops then have a fixed length, which is twice as fast as compressed
   rows with unpredictable row ends. The diagonal is stored separately.
   Columns have 16 bits where possible, relative to base[s] of the slice. If they span more (ghosts, millions of nodes),
   base[s] is negative and they have 32 bits, stored in `wide` from slice -1 - base[s] (packed_columns.py).

   EXPORT marks the functions that loader.py declares to cffi. */

#include <stddef.h>
#include <stdint.h>

#define EXPORT
#define SLICE 8
#define SIMD _Pragma("omp simd")

typedef const int32_t *restrict Ints;
typedef const int64_t *restrict Longs;
typedef const double *restrict Reals;
typedef const float *restrict Floats;
typedef const int16_t *restrict Shorts;
typedef const uint16_t *restrict Columns;

/* --- element matrices --------------------------------------------------------------------------------------------- */

static void cross(const double *a, const double *b, double *out)
{
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

static double dot(const double *a, const double *b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

/* Gradients are the rows of the inverse edge matrix: (b x c, c x a, a x b) / 6V; that of N_0 is minus their sum. */
EXPORT void tetrahedra(int64_t n_cells, const int32_t *cells, const double *x, double *g, double *volume)
{
    for (int64_t c = 0; c < n_cells; c++) {
        const int32_t *node = cells + 4 * c;
        double e[3][3], d[4][3];
        for (int k = 0; k < 3; k++)
            for (int q = 0; q < 3; q++)
                e[k][q] = x[3 * (int64_t)node[k + 1] + q] - x[3 * (int64_t)node[0] + q];
        cross(e[1], e[2], d[1]);
        cross(e[2], e[0], d[2]);
        cross(e[0], e[1], d[3]);
        const double six = dot(e[0], d[1]), size = (six < 0 ? -six : six) / 6.0, scale = size / (six * six);
        for (int q = 0; q < 3; q++)
            d[0][q] = -(d[1][q] + d[2][q] + d[3][q]);
        double *out = g + 6 * c;
        for (int i = 0, pair = 0; i < 4; i++)
            for (int j = i + 1; j < 4; j++)
                out[pair++] = scale * dot(d[i], d[j]);
        volume[c] = size;
    }
}

/* The same in the half plane (r, z), integrals times 2 pi r; share_i = integral N_i 2 pi r = 2 pi A (r_i + sum r) / 12. */
EXPORT void triangles_of_revolution(int64_t n_cells, const int32_t *cells, const double *x, double *g, double *share)
{
    const double two_pi = 6.283185307179586;
    for (int64_t c = 0; c < n_cells; c++) {
        const int32_t *node = cells + 3 * c;
        double r[3], z[3];
        for (int k = 0; k < 3; k++)
            r[k] = x[3 * (int64_t)node[k]], z[k] = x[3 * (int64_t)node[k] + 1];
        const double a[2] = {r[1] - r[0], z[1] - z[0]}, b[2] = {r[2] - r[0], z[2] - z[0]};
        const double twice = a[0] * b[1] - a[1] * b[0], area = 0.5 * (twice < 0 ? -twice : twice);
        const double sum = r[0] + r[1] + r[2], ring = two_pi * area * sum / 3.0;
        const double d[3][2] = {{a[1] - b[1], b[0] - a[0]}, {b[1], -b[0]}, {-a[1], a[0]}};
        double *out = g + 3 * c;
        for (int i = 0, pair = 0; i < 3; i++)
            for (int j = i + 1; j < 3; j++)
                out[pair++] = ring * (d[i][0] * d[j][0] + d[i][1] * d[j][1]) / (twice * twice);
        for (int i = 0; i < 3; i++)
            share[3 * c + i] = two_pi * area * (r[i] + sum) / 12.0;
    }
}

/* --- sparsity pattern: neighbours of nodes, cells of edges -------------------------------------------------------- */

/* Cells of each of the first n_rows nodes: list[where[i] .. where[i+1]]. On entry, `where` is the running sum of counts. */
EXPORT void cells_of_nodes(int64_t n_cells, int corners, const int32_t *cells, int64_t n_rows, int64_t *where, int32_t *list)
{
    for (int64_t c = 0; c < n_cells; c++)
        for (int k = 0; k < corners; k++) {
            const int32_t node = cells[corners * c + k];
            if (node < n_rows)
                list[where[node]++] = (int32_t)c;
        }
    for (int64_t i = n_rows; i > 0; i--)
        where[i] = where[i - 1];
    where[0] = 0;
}

/* Writes the sorted neighbours of node i to `found`; returns their number. `seen` contains -1 or smaller row numbers. */
static int32_t neighbours(int32_t i, int corners, const int32_t *cells, const int64_t *where, const int32_t *list,
                          int32_t *seen, int32_t *found)
{
    int32_t n = 0;
    seen[i] = i;
    for (int64_t k = where[i]; k < where[i + 1]; k++)
        for (int q = 0; q < corners; q++) {
            const int32_t j = cells[(int64_t)corners * list[k] + q];
            if (seen[j] == i)
                continue;
            seen[j] = i;
            int32_t at = n++;
            for (; at > 0 && found[at - 1] > j; at--)
                found[at] = found[at - 1];
            found[at] = j;
        }
    return n;
}

/* Row lengths without the diagonal, and the largest of them; `seen` (one per node) is -1 on entry. */
EXPORT int32_t row_lengths(int32_t n_rows, int corners, const int32_t *cells, const int64_t *where, const int32_t *list,
                           int32_t *seen, int32_t *found, int32_t *length, int32_t *upper)
{
    int32_t most = 0;
    for (int32_t i = 0; i < n_rows; i++) {
        length[i] = neighbours(i, corners, cells, where, list, seen, found);
        upper[i] = 0;
        for (int32_t k = 0; k < length[i]; k++)
            upper[i] += found[k] > i;
        if (length[i] > most)
            most = length[i];
    }
    return most;
}

/* Columns of the sliced matrix; and of each edge (i, j), i < j: its far end, its positions, its cells and their g.
   `first` is the running sum of `upper`. A position of -1 means that row j belongs to another rank. */
EXPORT void edges(int32_t n_rows, int corners, const int32_t *cells, const double *g, const int64_t *where,
                  const int32_t *list, int32_t *seen, int32_t *found, const int32_t *length, const int64_t *start,
                  const int64_t *first, int32_t *column, int32_t *far, int64_t *cell_start, int32_t *cell, double *weight,
                  int32_t *place_ij, int32_t *place_ji)
{
    static const int pair_of[4][4] = {{-1, 0, 1, 2}, {0, -1, 3, 4}, {1, 3, -1, 5}, {2, 4, 5, -1}};
    static const int pair_of_3[3][3] = {{-1, 0, 1}, {0, -1, 2}, {1, 2, -1}};
    const int pairs = corners == 4 ? 6 : 3;
    int64_t next = 0;
    for (int32_t i = 0; i < n_rows; i++) {
        neighbours(i, corners, cells, where, list, seen, found);
        const int64_t row = start[i / SLICE] + i % SLICE;
        int64_t e = first[i];
        for (int32_t k = 0; k < length[i]; k++) {
            const int32_t j = found[k];
            column[row + SLICE * (int64_t)k] = j;
            if (j < i)
                continue;
            far[e] = j;
            place_ij[e] = (int32_t)(row + SLICE * (int64_t)k);
            cell_start[e++] = next;
            for (int64_t q = where[i]; q < where[i + 1]; q++) {
                const int32_t *node = cells + (int64_t)corners * list[q];
                int a = -1, b = -1;
                for (int p = 0; p < corners; p++) {
                    if (node[p] == i)
                        a = p;
                    if (node[p] == j)
                        b = p;
                }
                if (b < 0)
                    continue;
                cell[next] = list[q];
                weight[next++] = g[(int64_t)pairs * list[q] + (corners == 4 ? pair_of[a][b] : pair_of_3[a][b])];
            }
        }
    }
    cell_start[first[n_rows]] = next;
    for (int32_t i = 0; i < n_rows; i++) /* rows are sorted: the smaller neighbours of row j come in the order of i */
        seen[i] = 0;
    for (int32_t i = 0; i < n_rows; i++)
        for (int64_t e = first[i]; e < first[i + 1]; e++) {
            const int32_t j = far[e];
            place_ji[e] = j < n_rows ? (int32_t)(start[j / SLICE] + j % SLICE + SLICE * (int64_t)seen[j]++) : -1;
        }
}

/* Packs the columns of a sliced matrix; returns the number of 32-bit columns and writes them if `wide` is not NULL. */
EXPORT int64_t pack_columns(int64_t n_slices, Longs start, Ints column, int32_t *restrict base, uint16_t *restrict packed,
                            int32_t *restrict wide)
{
    int64_t n_wide = 0;
    for (int64_t s = 0; s < n_slices; s++) {
        int32_t least = INT32_MAX, most = 0;
        for (int64_t k = start[s]; k < start[s + 1]; k++) {
            least = column[k] < least ? column[k] : least;
            most = column[k] > most ? column[k] : most;
        }
        if (start[s] == start[s + 1])
            least = 0;
        const int is_wide = most - least > UINT16_MAX;
        base[s] = is_wide ? (int32_t)(-1 - n_wide / SLICE) : least;
        for (int64_t k = start[s]; k < start[s + 1]; k++) {
            packed[k] = is_wide ? 0 : (uint16_t)(column[k] - least);
            if (is_wide && wide)
                wide[n_wide + k - start[s]] = column[k];
        }
        n_wide += is_wide ? start[s + 1] - start[s] : 0;
    }
    return n_wide;
}

/* The column of position k, which is in slice s. */
static inline int64_t column_at(Longs start, Ints base, Columns column, Ints wide, int64_t s, int64_t k)
{
    return base[s] >= 0 ? base[s] + column[k] : wide[SLICE * (int64_t)(-1 - base[s]) + k - start[s]];
}

/* Unpacks the columns. */
EXPORT void unpack_columns(int64_t n_slices, Longs start, Ints base, Columns packed, Ints wide, int32_t *restrict column)
{
    for (int64_t s = 0; s < n_slices; s++)
        for (int64_t k = start[s]; k < start[s + 1]; k++)
            column[k] = (int32_t)column_at(start, base, packed, wide, s, k);
}

/* --- assembly ----------------------------------------------------------------------------------------------------- */

/* Loops over cells with a compile-time number of corners: twice as fast as with a run-time number. */
#define INLINE static inline __attribute__((always_inline))

INLINE void values_of_cells(int64_t n_cells, const int corners, Ints cells, Ints region, int64_t n_nodes, Reals factors,
                            Ints law_a, Reals base_a, Ints law_b, Reals base_b, double *restrict value)
{
    for (int64_t c = 0; c < n_cells; c++) {
        const int32_t *node = cells + corners * c;
        const int32_t r = region[c];
        const double *a = factors + n_nodes * law_a[r], *b = factors + n_nodes * law_b[r];
        double sum_a = 0.0, sum_b = 0.0;
        for (int k = 0; k < corners; k++) {
            sum_a += a[node[k]];
            sum_b += b[node[k]];
        }
        value[2 * c] = base_a[r] * sum_a / corners;
        value[2 * c + 1] = base_b[r] * sum_b / corners;
    }
}

/* value[c][0..1] = base_a[region] * mean over the corners of factor_a[law_a[region]], and the same with b. */
EXPORT void cell_values(int64_t n_cells, int corners, Ints cells, Ints region, int64_t n_nodes, Reals factors, Ints law_a,
                        Reals base_a, Ints law_b, Reals base_b, double *restrict value)
{
    if (corners == 4)
        values_of_cells(n_cells, 4, cells, region, n_nodes, factors, law_a, base_a, law_b, base_b, value);
    else
        values_of_cells(n_cells, 3, cells, region, n_nodes, factors, law_a, base_a, law_b, base_b, value);
}

/* Arranges edges in slices: edge order[e] is at position e; `start` is the start of each slice. */
EXPORT void slice_edges(int64_t n_edges, Longs order, Longs cell_start, Ints cell, Reals weight, Longs start,
                        int32_t *restrict sliced_cell, double *restrict sliced_weight)
{
    for (int64_t e = 0; e < n_edges; e++) {
        int64_t to = start[e / SLICE] + e % SLICE;
        for (int64_t k = cell_start[order[e]]; k < cell_start[order[e] + 1]; k++, to += SLICE) {
            sliced_cell[to] = cell[k];
            sliced_weight[to] = weight[k];
        }
    }
}

/* a_ij = a_ji = sum over the cells of the edge of weight * value, for both values of a cell: one pass over the cells
   assembles the electric and the thermal stiffness. Edges are stored in slices like rows; padding edges and rows of
   other ranks have a position that is not read. */
EXPORT void assemble_both(int64_t n_slices, Longs start, Ints cell, Reals weight, Ints place_ij, Ints place_ji, Reals value,
                          double *restrict a, double *restrict b)
{
    for (int64_t s = 0; s < n_slices; s++) {
        double sum[SLICE] = {0}, sum_2[SLICE] = {0};
        for (int64_t k = start[s]; k < start[s + 1]; k += SLICE) {
            SIMD for (int l = 0; l < SLICE; l++)
            {
                sum[l] += weight[k + l] * value[2 * (int64_t)cell[k + l]];
                sum_2[l] += weight[k + l] * value[2 * (int64_t)cell[k + l] + 1];
            }
        }
        for (int64_t l = 0, e = SLICE * s; l < SLICE; l++, e++) {
            a[place_ij[e]] = sum[l];
            b[place_ij[e]] = sum_2[l];
            a[place_ji[e]] = sum[l];
            b[place_ji[e]] = sum_2[l];
        }
    }
}

/* Only the first or only the second of the two values: `value` points to it. */
EXPORT void assemble_one(int64_t n_slices, Longs start, Ints cell, Reals weight, Ints place_ij, Ints place_ji, Reals value,
                         int which, double *restrict a)
{
    for (int64_t s = 0; s < n_slices; s++) {
        double sum[SLICE] = {0};
        for (int64_t k = start[s]; k < start[s + 1]; k += SLICE) {
            SIMD for (int l = 0; l < SLICE; l++) sum[l] += weight[k + l] * value[2 * (int64_t)cell[k + l] + which];
        }
        for (int64_t l = 0, e = SLICE * s; l < SLICE; l++, e++) {
            a[place_ij[e]] = sum[l];
            a[place_ji[e]] = sum[l];
        }
    }
}

/* a_ii = - sum_j a_ij */
EXPORT void negative_row_sums(int64_t n, Longs start, Reals a, double *restrict diagonal)
{
    for (int64_t s = 0; SLICE * s < n; s++) {
        double sum[SLICE] = {0};
        for (int64_t k = start[s]; k < start[s + 1]; k += SLICE) {
            SIMD for (int l = 0; l < SLICE; l++) sum[l] -= a[k + l];
        }
        for (int64_t l = 0; SLICE * s + l < n && l < SLICE; l++)
            diagonal[SLICE * s + l] = sum[l];
    }
}

/* Consistent mass of tetrahedra (mass_matrix.py) with weight q and a nodal field, whose previous value is `old`:
   a_ij = sum over cells of q (sum f + f_i + f_j), a_ii = sum over cells of 2 q (sum f + 2 f_i). Rows affected by the
   change are summed again, so that the matrix depends bit by bit on the field only, not on its history. */
EXPORT void renew_consistent_mass(int64_t n_cells, Ints cells, Reals q, Reals old, Reals field, int16_t *restrict touched,
                                  int64_t n, Longs start, Ints base, Columns column, Ints wide, double *restrict a,
                                  double *restrict diagonal)
{
    for (int64_t c = 0; c < n_cells; c++) {
        const int32_t *node = cells + 4 * c;
        int changed = 0;
        for (int i = 0; i < 4; i++)
            changed |= field[node[i]] != old[node[i]];
        for (int i = 0; changed && i < 4; i++)
            touched[node[i]] = 1;
    }
    for (int64_t i = 0; i < n; i++)
        if (touched[i]) {
            diagonal[i] = 0.0;
            for (int64_t k = start[i / SLICE] + i % SLICE; k < start[i / SLICE + 1]; k += SLICE)
                a[k] = 0.0;
        }
    for (int64_t c = 0; c < n_cells; c++) {
        const int32_t *node = cells + 4 * c;
        if (!(touched[node[0]] | touched[node[1]] | touched[node[2]] | touched[node[3]]))
            continue;
        const double f[4] = {field[node[0]], field[node[1]], field[node[2]], field[node[3]]};
        const double sum = f[0] + f[1] + f[2] + f[3];
        for (int i = 0; i < 4; i++) {
            if (node[i] >= n || !touched[node[i]])
                continue;
            const int64_t s = node[i] / SLICE, first = start[s] + node[i] % SLICE;
            diagonal[node[i]] += 2.0 * q[c] * (sum + 2.0 * f[i]);
            for (int j = 0; j < 4; j++) {
                if (i == j)
                    continue;
                int64_t k = first;
                while (column_at(start, base, column, wide, s, k) != node[j])
                    k += SLICE;
                a[k] += q[c] * (sum + f[i] + f[j]);
            }
        }
    }
}

/* out = a + w0 c + w */
EXPORT void weighted_sum(int64_t n, Reals a, double w0, Reals c, Reals w, double *restrict out)
{
    SIMD for (int64_t i = 0; i < n; i++) out[i] = a[i] + w0 * c[i] + w[i];
}

/* --- Joule heat --------------------------------------------------------------------------------------------------- */

static inline double square(double a) { return a * a; }

/* integral |grad phi|^2 over a tetrahedron, or over the ring of a triangle; unrolled, twice as fast as a loop. */
static inline double dirichlet_4(const int32_t *node, const double *g, const double *phi)
{
    const double a = phi[node[0]], b = phi[node[1]], c = phi[node[2]], d = phi[node[3]];
    return -(g[0] * square(a - b) + g[1] * square(a - c) + g[2] * square(a - d) + g[3] * square(b - c) +
             g[4] * square(b - d) + g[5] * square(c - d));
}

static inline double dirichlet_3(const int32_t *node, const double *g, const double *phi)
{
    const double a = phi[node[0]], b = phi[node[1]], c = phi[node[2]];
    return -(g[0] * square(a - b) + g[1] * square(a - c) + g[2] * square(b - c));
}

/* heat[c] = value[c][0] * integral |grad phi|^2. */
EXPORT void heat_of_cells(int64_t n_cells, int corners, Ints cells, Reals g, Reals value, Reals phi, double *restrict heat)
{
    for (int64_t c = 0; c < n_cells; c++)
        heat[c] = value[2 * c] * (corners == 4 ? dirichlet_4(cells + 4 * c, g + 6 * c, phi)
                                               : dirichlet_3(cells + 3 * c, g + 3 * c, phi));
}

/* The same, distributed to the nodes by the integral of N_i (`share` is NULL for tetrahedra: a quarter each). */
EXPORT void heat_of_nodes(int64_t n_cells, int corners, Ints cells, Reals g, const double *share, Reals value, Reals phi,
                          double *restrict load)
{
    for (int64_t c = 0; corners == 4 && c < n_cells; c++) {
        const int32_t *node = cells + 4 * c;
        const double quarter = 0.25 * value[2 * c] * dirichlet_4(node, g + 6 * c, phi);
        for (int k = 0; k < 4; k++)
            load[node[k]] += quarter;
    }
    for (int64_t c = 0; corners == 3 && c < n_cells; c++) {
        const int32_t *node = cells + 3 * c;
        const double *s = share + 3 * c;
        const double density = value[2 * c] * dirichlet_3(node, g + 3 * c, phi) / (s[0] + s[1] + s[2]);
        for (int k = 0; k < 3; k++)
            load[node[k]] += density * s[k];
    }
}

/* Tetrahedra with sigma linear in the cell: integral sigma_h N_i = V (sum sigma + sigma_i) / 20. */
EXPORT void consistent_heat_of_nodes(int64_t n_cells, Ints cells, Ints region, Reals g, int64_t n_nodes, Reals factors,
                                     Ints law, Reals base, Reals phi, double *restrict load)
{
    for (int64_t c = 0; c < n_cells; c++) {
        const int32_t *node = cells + 4 * c, r = region[c];
        const double *f = factors + n_nodes * law[r];
        const double energy = base[r] * dirichlet_4(node, g + 6 * c, phi) / 20.0;
        const double sum = f[node[0]] + f[node[1]] + f[node[2]] + f[node[3]];
        for (int k = 0; k < 4; k++)
            load[node[k]] += energy * (sum + f[node[k]]);
    }
}

/* --- the lesion --------------------------------------------------------------------------------------------------- */

/* Fraction of a tetrahedron with positive level; the corner values f have different signs. */
static double cut_tetrahedron(const double *f)
{
    double v[4];
    int positive = 0;
    for (int k = 0; k < 4; k++) { /* sort in descending order */
        int at = k;
        for (; at > 0 && v[at - 1] < f[k]; at--)
            v[at] = v[at - 1];
        v[at] = f[k];
        positive += f[k] >= 0.0;
    }
    const double a = v[0], b = v[1], c = v[2], d = v[3];
    if (positive == 1)
        return a * a * a / ((a - b) * (a - c) * (a - d));
    if (positive == 3)
        return 1.0 + d * d * d / ((a - d) * (b - d) * (c - d));
    /* the prism between the corners a, b and the four intersection points, as three tetrahedra */
    const double ac = a / (a - c), ad = a / (a - d), bc = b / (b - c), bd = b / (b - d);
    return bc * bd + ac * ad * (1.0 - bc) + ad * bc * (1.0 - bd);
}

/* Fraction of the ring of a triangle with positive level: the corner with a different sign is in a smaller triangle,
   whose ring volume is proportional to its area times its mean radius. */
static double cut_ring(const double *f, const double *r)
{
    const int positive = (f[0] >= 0.0) + (f[1] >= 0.0) + (f[2] >= 0.0);
    int k = 0;
    while ((f[k] >= 0.0) != (positive == 1))
        k++;
    const int i = (k + 1) % 3, j = (k + 2) % 3;
    const double ti = f[k] / (f[k] - f[i]), tj = f[k] / (f[k] - f[j]);
    const double mean = r[k] + (ti * (r[i] - r[k]) + tj * (r[j] - r[k])) / 3.0;
    const double corner = ti * tj * mean * 3.0 / (r[0] + r[1] + r[2]);
    return positive == 1 ? corner : 1.0 - corner;
}

/* Extents of a set of points: along -e and e, then across, in `n` directions and opposite to them. A point closer to the
   axis than the smallest extent across cannot increase an extent across. */
typedef struct {
    const double *frame; /* origin, e, and two unit vectors across, three numbers each */
    const double *cosine, *sine;
    int n;
    double least, *extent;
} Extents;

static void take(Extents *e, const double *p)
{
    const double *o = e->frame, d[3] = {p[0] - o[0], p[1] - o[1], p[2] - o[2]};
    const double s = dot(d, o + 3), u = dot(d, o + 6), v = dot(d, o + 9);
    if (-s > e->extent[0])
        e->extent[0] = -s;
    if (s > e->extent[1])
        e->extent[1] = s;
    if (e->least > 0.0 && u * u + v * v <= e->least * e->least)
        return;
    double *restrict with = e->extent + 2, *restrict against = with + e->n, least = 1e300;
    const double *restrict c = e->cosine, *restrict z = e->sine;
    _Pragma("omp simd reduction(min : least)") for (int k = 0; k < e->n; k++)
    {
        const double across = u * c[k] + v * z[k], a = across > with[k] ? across : with[k];
        const double b = -across > against[k] ? -across : against[k], lower = a < b ? a : b;
        with[k] = a;
        against[k] = b;
        least = lower < least ? lower : least;
    }
    e->least = least;
}

static double cut_fraction(int corners, const int32_t *node, const double *x, const double *f)
{
    if (corners == 4)
        return cut_tetrahedron(f);
    const double r[3] = {x[3 * (int64_t)node[0]], x[3 * (int64_t)node[1]], x[3 * (int64_t)node[2]]};
    return cut_ring(f, r);
}

/* For the region with level >= 0: inside[region] += its volume in the listed cells; extents of the listed nodes inside
   it and of the intersections of its surface with cell edges. On entry, `extent` is minus infinity. */
EXPORT void lesion(int64_t n_listed, Ints listed, int corners, Ints cells, int64_t n_nodes, Ints nodes, Reals x, Reals volume,
                   Ints region, Reals level, Reals frame, int n_directions, Reals cosine, Reals sine,
                   double *restrict inside, double *restrict extent)
{
    Extents e = {frame, cosine, sine, n_directions, -1.0, extent};
    for (int64_t q = 0; q < n_listed; q++) {
        const int32_t c = listed[q], *node = cells + (int64_t)corners * c;
        double f[4];
        int positive = 0;
        for (int k = 0; k < corners; k++) {
            f[k] = level[node[k]];
            positive += f[k] >= 0.0;
        }
        if (positive == 0)
            continue;
        inside[region[c]] += volume[c] * (positive == corners ? 1.0 : cut_fraction(corners, node, x, f));
        for (int a = 0; positive < corners && a < corners; a++)
            for (int b = a + 1; b < corners; b++) {
                if ((f[a] >= 0.0) == (f[b] >= 0.0))
                    continue;
                const double t = f[a] / (f[a] - f[b]);
                const double *pa = x + 3 * (int64_t)node[a], *pb = x + 3 * (int64_t)node[b];
                const double p[3] = {
                    pa[0] + t * (pb[0] - pa[0]), pa[1] + t * (pb[1] - pa[1]), pa[2] + t * (pb[2] - pa[2])};
                take(&e, p);
            }
    }
    for (int64_t q = 0; q < n_nodes; q++) /* last: most of them are within the smallest extent by now */
        if (level[nodes[q]] >= 0.0)
            take(&e, x + 3 * (int64_t)nodes[q]);
}

/* --- products ----------------------------------------------------------------------------------------------------- */

#define ROWS_OF_SLICE(s, n) ((n) - SLICE * (s) < SLICE ? (int)((n) - SLICE * (s)) : SLICE)

#define SLICE_PRODUCT(NAME, VALUES, REAL) \
    static inline void NAME(Longs start, Ints base, Columns column, Ints wide, VALUES a, const REAL *restrict x, \
                            int64_t s, REAL *restrict sum) \
    { \
        for (int l = 0; l < SLICE; l++) \
            sum[l] = 0; \
        if (base[s] >= 0) { \
            const REAL *restrict from = x + base[s]; \
            for (int64_t k = start[s]; k < start[s + 1]; k += SLICE) { \
                SIMD for (int l = 0; l < SLICE; l++) sum[l] += (REAL)a[k + l] * from[column[k + l]]; \
            } \
        } \
        else { \
            Ints far = wide + SLICE * (int64_t)(-1 - base[s]); \
            for (int64_t k = start[s]; k < start[s + 1]; k += SLICE, far += SLICE) { \
                SIMD for (int l = 0; l < SLICE; l++) sum[l] += (REAL)a[k + l] * x[far[l]]; \
            } \
        } \
    }

/* sum = row s of slices times x: for double, single-precision and 16-bit (times SHORT_ONE) entries. */
SLICE_PRODUCT(slice_product, Reals, double)
SLICE_PRODUCT(slice_product_f, Floats, float)
SLICE_PRODUCT(slice_product_s, Shorts, float)

/* The rows `row` of A times x */
EXPORT void multiply_rows(int64_t n_rows, Longs row, Longs start, Ints base, Columns column, Ints wide, Reals a,
                          Reals diagonal, Reals x, double *restrict y)
{
    for (int64_t q = 0; q < n_rows; q++) {
        const int64_t i = row[q], s = i / SLICE;
        double sum = diagonal[i] * x[i];
        for (int64_t k = start[s] + i % SLICE; k < start[s + 1]; k += SLICE)
            sum += a[k] * x[column_at(start, base, column, wide, s, k)];
        y[q] = sum;
    }
}

/* y = A x */
EXPORT void multiply(int64_t n, Longs start, Ints base, Columns column, Ints wide, Reals a, Reals diagonal, Reals x, double *restrict y)
{
    for (int64_t s = 0; SLICE * s < n; s++) {
        double sum[SLICE];
        slice_product(start, base, column, wide, a, x, s, sum);
        for (int64_t l = 0, i = SLICE * s; l < ROWS_OF_SLICE(s, n); l++, i++)
            y[i] = diagonal[i] * x[i] + sum[l];
    }
}

/* w = A u and, over free rows, sums[0] = r.u, sums[1] = w.u; u is zero in fixed rows. */
EXPORT void multiply_and_dot(int64_t n, Longs start, Ints base, Columns column, Ints wide, Reals a, Reals diagonal, Reals u, Reals r,
                             double *restrict w, double *restrict sums)
{
    double ru = 0.0, wu = 0.0;
    for (int64_t s = 0; SLICE * s < n; s++) {
        double sum[SLICE];
        slice_product(start, base, column, wide, a, u, s, sum);
        for (int64_t l = 0, i = SLICE * s; l < ROWS_OF_SLICE(s, n); l++, i++) {
            w[i] = diagonal[i] * u[i] + sum[l];
            ru += r[i] * u[i];
            wu += w[i] * u[i];
        }
    }
    sums[0] = ru;
    sums[1] = wu;
}

/* One step of conjugate gradients with a single reduction (see conjugate_gradients.py):
   p = u + beta p, s = w + beta s, x += alpha p, r -= alpha s, u = inverse * r. */
EXPORT void advance(int64_t n, Reals inverse, Reals w, double *restrict u, double *restrict p, double *restrict s,
                    double *restrict x, double *restrict r, double alpha, double beta)
{
    SIMD for (int64_t i = 0; i < n; i++)
    {
        p[i] = u[i] + beta * p[i];
        s[i] = w[i] + beta * s[i];
        x[i] += alpha * p[i];
        r[i] -= alpha * s[i];
        u[i] = inverse[i] * r[i];
    }
}

/* out = a x + b y + c z */
EXPORT void combine(int64_t n, double a, Reals x, double b, Reals y, double c, Reals z, double *restrict out)
{
    SIMD for (int64_t i = 0; i < n; i++) out[i] = a * x[i] + b * y[i] + c * z[i];
}

/* p = u + beta p */
EXPORT void new_direction(int64_t n, Reals u, double *restrict p, double beta)
{
    SIMD for (int64_t i = 0; i < n; i++) p[i] = u[i] + beta * p[i];
}

/* q = A p and sums = p.q, r.(inverse r), r.(inverse q), q.(inverse q) */
EXPORT void curvature(int64_t n, Longs start, Ints base, Columns column, Ints wide, Reals a, Reals diagonal, Reals p,
                      double *restrict q, Reals inverse, Reals r, double *restrict sums)
{
    double pq = 0.0, rr = 0.0, rq = 0.0, qq = 0.0;
    for (int64_t s = 0; SLICE * s < n; s++) {
        double sum[SLICE];
        slice_product(start, base, column, wide, a, p, s, sum);
        for (int64_t l = 0, i = SLICE * s; l < ROWS_OF_SLICE(s, n); l++, i++) {
            q[i] = diagonal[i] * p[i] + sum[l];
            pq += p[i] * q[i];
            rr += r[i] * inverse[i] * r[i];
            rq += r[i] * inverse[i] * q[i];
            qq += q[i] * inverse[i] * q[i];
        }
    }
    sums[0] = pq;
    sums[1] = rr;
    sums[2] = rq;
    sums[3] = qq;
}

/* x += alpha p, r -= alpha q */
EXPORT void descend(int64_t n, Reals p, Reals q, double *restrict x, double *restrict r, double alpha)
{
    SIMD for (int64_t i = 0; i < n; i++)
    {
        x[i] += alpha * p[i];
        r[i] -= alpha * q[i];
    }
}

/* --- the V-cycle, in single precision ----------------------------------------------------------------------------- */

/* Off-diagonal entries of a positive definite matrix with unit diagonal are below 1 in magnitude. They are stored in 16
   bits as integer multiples of 1 / SHORT_ONE: half the bytes, and an error of 1.5e-5, negligible in a preconditioner. */
#define SHORT_ONE 32767.0f
#define ONE_SHORT (1.0f / SHORT_ONE)

static inline int16_t to_short(float value)
{
    const float inside = value > SHORT_ONE ? SHORT_ONE : value < -SHORT_ONE ? -SHORT_ONE : value;
    return (int16_t)(inside + (inside < 0.0f ? -0.5f : 0.5f));
}

/* out = off-diagonal part of D^-1/2 A D^-1/2, with root = D^-1/2 at the local nodes */
EXPORT void scale_to_shorts(int64_t n, Longs start, Ints base, Columns column, Ints wide, Reals a, Reals root,
                            int16_t *restrict out)
{
    for (int64_t s = 0; SLICE * s < n; s++) {
        double mine[SLICE] = {0.0};
        for (int64_t l = 0; l < ROWS_OF_SLICE(s, n); l++)
            mine[l] = SHORT_ONE * root[SLICE * s + l];
        for (int64_t k = start[s]; k < start[s + 1]; k += SLICE)
            if (base[s] >= 0)
                SIMD for (int l = 0; l < SLICE; l++)
                    out[k + l] = to_short((float)(mine[l] * a[k + l] * root[base[s] + column[k + l]]));
            else
                for (int l = 0; l < SLICE; l++)
                    out[k + l] = to_short((float)(mine[l] * a[k + l] * root[column_at(start, base, column, wide, s, k + l)]));
    }
}

/* The following functions compute rows `first` to n - 1; `first` is the first row of a slice.

   One step of the Chebyshev smoother, with A scaled to a unit diagonal:
   d = c_old d + c_new (b - x - A' x) with b, x also scaled; x_new = x + d. Fixed rows have b = 0 and an empty row. */
EXPORT void smooth(int64_t first, int64_t n, Longs start, Ints base, Columns column, Ints wide, Shorts a, Floats b, Floats x, float *restrict d,
                   float *restrict x_new, float c_old, float c_new)
{
    for (int64_t s = first / SLICE; SLICE * s < n; s++) {
        float sum[SLICE];
        slice_product_s(start, base, column, wide, a, x, s, sum);
        for (int64_t l = 0, i = SLICE * s; l < ROWS_OF_SLICE(s, n); l++, i++) {
            d[i] = c_old * d[i] + c_new * (b[i] - x[i] - ONE_SHORT * sum[l]);
            x_new[i] = x[i] + d[i];
        }
    }
}

/* The first step from x = 0: d = c b, x = d. */
EXPORT void smooth_from_zero(int64_t n, Floats b, float *restrict d, float *restrict x, float c)
{
    SIMD for (int64_t i = 0; i < n; i++) x[i] = d[i] = c * b[i];
}

/* r = b - x - A' x */
EXPORT void residual_f(int64_t first, int64_t n, Longs start, Ints base, Columns column, Ints wide, Shorts a, Floats b, Floats x, float *restrict r)
{
    for (int64_t s = first / SLICE; SLICE * s < n; s++) {
        float sum[SLICE];
        slice_product_s(start, base, column, wide, a, x, s, sum);
        for (int64_t l = 0, i = SLICE * s; l < ROWS_OF_SLICE(s, n); l++, i++)
            r[i] = b[i] - x[i] - ONE_SHORT * sum[l];
    }
}

/* y = keep y + A x, without a diagonal: restriction (keep = 0) and prolongation (keep = 1) */
EXPORT void transfer(int64_t first, int64_t n, Longs start, Ints base, Columns column, Ints wide, Floats a, Floats x, float *restrict y, float keep)
{
    for (int64_t s = first / SLICE; SLICE * s < n; s++) {
        float sum[SLICE];
        slice_product_f(start, base, column, wide, a, x, s, sum);
        for (int64_t l = 0, i = SLICE * s; l < ROWS_OF_SLICE(s, n); l++, i++)
            y[i] = keep * y[i] + sum[l];
    }
}

/* out = in, times a factor of its row and a factor of its column */
EXPORT void scale_entries(int64_t n, Longs start, Ints base, Columns column, Ints wide, Floats in, Floats of_rows,
                          Floats of_columns, float *restrict out)
{
    for (int64_t s = 0; SLICE * s < n; s++)
        for (int64_t k = start[s]; k < start[s + 1]; k++) {
            const int64_t i = SLICE * s + (k - start[s]) % SLICE;
            out[k] = i < n ? in[k] * of_rows[i] * of_columns[column_at(start, base, column, wide, s, k)] : 0.0f;
        }
}

/* out = scale * in * factor, from double to single precision and back */
EXPORT void to_single(int64_t n, Reals in, Floats factor, float *restrict out, double scale)
{
    SIMD for (int64_t i = 0; i < n; i++) out[i] = (float)(scale * in[i]) * factor[i];
}

/* out = scale * in * factor; returns out.r */
EXPORT double to_double(int64_t n, Floats in, Floats factor, Reals r, double *restrict out, double scale)
{
    double sum = 0.0;
    _Pragma("omp simd reduction(+ : sum)") for (int64_t i = 0; i < n; i++)
    {
        out[i] = scale * (double)(in[i] * factor[i]);
        sum += out[i] * r[i];
    }
    return sum;
}

/* Standard aggregation on a graph of strong couplings (rows `where`, `list`): first, neighbourhoods that are completely
   free; then the remaining nodes join the aggregate of a neighbour; then those left form new ones. Isolated nodes stay out
   (-1). Vanek, Mandel, Brezina, Computing 56 (1996), algorithm 5.1. Returns the number of aggregates. */
EXPORT int32_t aggregate(int32_t n, const int32_t *where, const int32_t *list, int32_t *of, int32_t *joined)
{
    int32_t count = 0;
    for (int32_t i = 0; i < n; i++)
        of[i] = -1;
    for (int32_t i = 0; i < n; i++) {
        int is_free = of[i] < 0 && where[i] < where[i + 1];
        for (int32_t k = where[i]; is_free && k < where[i + 1]; k++)
            is_free = of[list[k]] < 0;
        if (!is_free)
            continue;
        of[i] = count;
        for (int32_t k = where[i]; k < where[i + 1]; k++)
            of[list[k]] = count;
        count++;
    }
    for (int32_t i = 0; i < n; i++) {
        joined[i] = of[i];
        for (int32_t k = where[i]; joined[i] < 0 && k < where[i + 1]; k++)
            joined[i] = of[list[k]];
    }
    for (int32_t i = 0; i < n; i++)
        of[i] = joined[i];
    for (int32_t i = 0; i < n; i++) {
        if (of[i] >= 0 || where[i] == where[i + 1])
            continue;
        of[i] = count;
        for (int32_t k = where[i]; k < where[i + 1]; k++)
            if (of[list[k]] < 0)
                of[list[k]] = count;
        count++;
    }
    return count;
}
