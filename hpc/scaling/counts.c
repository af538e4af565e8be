/* Counts the MPI calls of a process by kind: calls, messages sent by this rank and their bytes. The library is preloaded,
   so that the measured program is unchanged; `scaling_counts` reads the counters (see counter.py).

   The messages inside a collective depend on the MPI library: a collective counts as one call with the bytes that this
   rank contributes. A neighbourhood exchange sends one message to each neighbour with a non-empty part. The exchanges of
   PETSc are persistent messages, started together. */

#include <mpi.h>
#include <stddef.h>

enum { EXCHANGE, REDUCE, GATHER, PERSISTENT, POINT, OTHER, KINDS };

static double counter[KINDS][3];

static int size_of(MPI_Datatype type)
{
    int size = 0;
    PMPI_Type_size(type, &size);
    return size;
}

static void count(int kind, double messages, double bytes)
{
    counter[kind][0] += 1.0;
    counter[kind][1] += messages;
    counter[kind][2] += bytes;
}

static void count_exchange(const int sent[], MPI_Datatype type, MPI_Comm comm)
{
    int in, out, weighted;
    double messages = 0.0, bytes = 0.0;
    PMPI_Dist_graph_neighbors_count(comm, &in, &out, &weighted);
    for (int k = 0; k < out; k++) {
        messages += sent[k] > 0;
        bytes += (double)sent[k] * size_of(type);
    }
    count(EXCHANGE, messages, bytes);
}

void scaling_counts(double *out)
{
    for (int k = 0; k < KINDS; k++)
        for (int q = 0; q < 3; q++)
            out[3 * k + q] = counter[k][q];
}

/* --- ghosts ------------------------------------------------------------------------------------------------------- */

int MPI_Neighbor_alltoallv(const void *s, const int n[], const int at[], MPI_Datatype t, void *r, const int rn[],
                           const int rat[], MPI_Datatype rt, MPI_Comm comm)
{
    count_exchange(n, t, comm);
    return PMPI_Neighbor_alltoallv(s, n, at, t, r, rn, rat, rt, comm);
}

int MPI_Ineighbor_alltoallv(const void *s, const int n[], const int at[], MPI_Datatype t, void *r, const int rn[],
                            const int rat[], MPI_Datatype rt, MPI_Comm comm, MPI_Request *request)
{
    count_exchange(n, t, comm);
    return PMPI_Ineighbor_alltoallv(s, n, at, t, r, rn, rat, rt, comm, request);
}

/* --- reductions --------------------------------------------------------------------------------------------------- */

int MPI_Allreduce(const void *s, void *r, int n, MPI_Datatype t, MPI_Op op, MPI_Comm comm)
{
    count(REDUCE, 0.0, (double)n * size_of(t));
    return PMPI_Allreduce(s, r, n, t, op, comm);
}

/* --- allgathers -------------------------------------------------------------------------- */

int MPI_Allgatherv(const void *s, int n, MPI_Datatype t, void *r, const int rn[], const int at[], MPI_Datatype rt,
                   MPI_Comm comm)
{
    int rank;
    PMPI_Comm_rank(comm, &rank);
    count(GATHER, 0.0, (double)rn[rank] * size_of(rt));
    return PMPI_Allgatherv(s, n, t, r, rn, at, rt, comm);
}

/* --- persistent messages: exchanges of PETSc --------------------------------------------------------------------- */

/* The bytes of each persistent send, by its request. */
enum { PLACES = 1 << 18 };
static MPI_Request known[PLACES];
static double size_of_known[PLACES];

static size_t place_of(MPI_Request request)
{
    size_t at = ((size_t)request >> 4) * 2654435761u % PLACES;
    while (known[at] && known[at] != request)
        at = (at + 1) % PLACES;
    return at;
}

int MPI_Send_init(const void *s, int n, MPI_Datatype t, int to, int tag, MPI_Comm comm, MPI_Request *request)
{
    const int code = PMPI_Send_init(s, n, t, to, tag, comm, request);
    const size_t at = place_of(*request);
    known[at] = *request;
    size_of_known[at] = (double)n * size_of(t);
    return code;
}

int MPI_Recv_init(void *b, int n, MPI_Datatype t, int from, int tag, MPI_Comm comm, MPI_Request *request)
{
    const int code = PMPI_Recv_init(b, n, t, from, tag, comm, request);
    size_of_known[place_of(*request)] = -1.0; /* in case the handle was that of a send */
    return code;
}

static void count_started(int n, MPI_Request request[])
{
    double messages = 0.0, bytes = 0.0;
    for (int k = 0; k < n; k++) {
        const size_t at = place_of(request[k]);
        if (known[at] == request[k] && size_of_known[at] >= 0.0) {
            messages += 1.0;
            bytes += size_of_known[at];
        }
    }
    if (messages > 0.0)
        count(PERSISTENT, messages, bytes);
}

int MPI_Start(MPI_Request *request)
{
    count_started(1, request);
    return PMPI_Start(request);
}

int MPI_Startall(int n, MPI_Request request[])
{
    count_started(n, request);
    return PMPI_Startall(n, request);
}

/* --- point-to-point ------------------------------------------------------------------------------------- */

int MPI_Send(const void *s, int n, MPI_Datatype t, int to, int tag, MPI_Comm comm)
{
    count(POINT, 1.0, (double)n * size_of(t));
    return PMPI_Send(s, n, t, to, tag, comm);
}

int MPI_Isend(const void *s, int n, MPI_Datatype t, int to, int tag, MPI_Comm comm, MPI_Request *request)
{
    count(POINT, 1.0, (double)n * size_of(t));
    return PMPI_Isend(s, n, t, to, tag, comm, request);
}

int MPI_Sendrecv(const void *s, int n, MPI_Datatype t, int to, int tag, void *r, int rn, MPI_Datatype rt, int from,
                 int rtag, MPI_Comm comm, MPI_Status *status)
{
    count(POINT, 1.0, (double)n * size_of(t));
    return PMPI_Sendrecv(s, n, t, to, tag, r, rn, rt, from, rtag, comm, status);
}

/* --- other collectives: a step must not contain any ------------------------------------------------------------------- */

int MPI_Barrier(MPI_Comm comm)
{
    count(OTHER, 0.0, 0.0);
    return PMPI_Barrier(comm);
}

int MPI_Bcast(void *b, int n, MPI_Datatype t, int root, MPI_Comm comm)
{
    count(OTHER, 0.0, (double)n * size_of(t));
    return PMPI_Bcast(b, n, t, root, comm);
}

int MPI_Reduce(const void *s, void *r, int n, MPI_Datatype t, MPI_Op op, int root, MPI_Comm comm)
{
    count(OTHER, 0.0, (double)n * size_of(t));
    return PMPI_Reduce(s, r, n, t, op, root, comm);
}

int MPI_Allgather(const void *s, int n, MPI_Datatype t, void *r, int rn, MPI_Datatype rt, MPI_Comm comm)
{
    count(OTHER, 0.0, (double)n * size_of(t));
    return PMPI_Allgather(s, n, t, r, rn, rt, comm);
}

int MPI_Gather(const void *s, int n, MPI_Datatype t, void *r, int rn, MPI_Datatype rt, int root, MPI_Comm comm)
{
    count(OTHER, 0.0, (double)n * size_of(t));
    return PMPI_Gather(s, n, t, r, rn, rt, root, comm);
}

int MPI_Gatherv(const void *s, int n, MPI_Datatype t, void *r, const int rn[], const int at[], MPI_Datatype rt, int root,
                MPI_Comm comm)
{
    count(OTHER, 0.0, (double)n * size_of(t));
    return PMPI_Gatherv(s, n, t, r, rn, at, rt, root, comm);
}

int MPI_Alltoall(const void *s, int n, MPI_Datatype t, void *r, int rn, MPI_Datatype rt, MPI_Comm comm)
{
    count(OTHER, 0.0, (double)n * size_of(t));
    return PMPI_Alltoall(s, n, t, r, rn, rt, comm);
}

int MPI_Alltoallv(const void *s, const int n[], const int at[], MPI_Datatype t, void *r, const int rn[], const int rat[],
                  MPI_Datatype rt, MPI_Comm comm)
{
    double bytes = 0.0;
    int ranks;
    PMPI_Comm_size(comm, &ranks);
    for (int k = 0; k < ranks; k++)
        bytes += (double)n[k] * size_of(t);
    count(OTHER, 0.0, bytes);
    return PMPI_Alltoallv(s, n, at, t, r, rn, rat, rt, comm);
}
