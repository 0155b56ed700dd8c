// Times llm.c's CPU trainer at our two bench sizes, for dev/peers.sh. llm.c itself lies elsewhere:
//
//   git clone https://github.com/karpathy/llm.c
//   gcc -Ofast -march=native -fopenmp -DLLMC=\"$PWD/llm.c/train_gpt2.c\" dev/llmc.c -lm -o llmc
//   ./llmc A && ./llmc B
//
// With TESTING its main is left out. Its models come from a checkpoint file; here the struct is
// filled with the same helpers and random weights, so that any size can be timed. The vocabulary is
// not padded, and llm.c clips no gradients: both spare it a little work. No -fno-finite-math-only:
// the one function that needs it, GELU backwards, asks for it itself, and elsewhere it costs speed.
#define TESTING
#include LLMC

enum { STEPS = 100 };                                   // at most; it stops after SECONDS
static const double SECONDS = 5;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static double uniform(void) { return rand() / (RAND_MAX + 1.0); }        // [0, 1)

static void build(GPT2 *model, int L, int NH, int C, int V, int T) {
    memset(model, 0, sizeof *model);            // NULL makes it allocate the rest when needed
    model->mean_loss = -1;                      // its mark for "no loss yet"
    model->config = (GPT2Config){ .max_seq_len = T, .vocab_size = V, .padded_vocab_size = V,
                                  .num_layers = L, .num_heads = NH, .channels = C };
    fill_in_parameter_sizes(model->param_sizes, model->config);
    for (int i = 0; i < NUM_PARAMETER_TENSORS; i++) model->num_parameters += model->param_sizes[i];
    model->params_memory = malloc_and_point_parameters(&model->params, model->param_sizes);
    for (size_t i = 0; i < model->num_parameters; i++)
        model->params_memory[i] = 0.07 * (uniform() - 0.5);        // a standard deviation of 0.02
    // the gains of the layer norms lie around 1, as in any real model
    for (int i = 0; i < L * C; i++) model->params.ln1w[i] = model->params.ln2w[i] = 1;
    for (int i = 0; i < C; i++) model->params.lnfw[i] = 1;
}

int main(int argc, char **argv) {
    struct { const char *name; int L, NH, C, V, B, T; } size[] = {
        { "A", 4, 4, 128, 512, 32, 128 }, { "B", 3, 3, 48, 100, 100, 10 } };
    if (argc != 2 || (strcmp(argv[1], "A") && strcmp(argv[1], "B"))) {
        fprintf(stderr, "usage: llmc A|B\n");
        return 2;
    }
    int which = argv[1][0] - 'A', B = size[which].B, T = size[which].T;
    GPT2 model;
    build(&model, size[which].L, size[which].NH, size[which].C, size[which].V, T);

    int *tokens = malloc((B * T + 1) * sizeof(int));    // targets are the inputs, one further on
    for (int i = 0; i <= B * T; i++) tokens[i] = uniform() * size[which].V;

    double best = 1e30, start = now();
    for (int step = 1; step <= STEPS && (step <= 3 || now() - start < SECONDS); step++) {
        double t0 = now();
        gpt2_forward(&model, tokens, tokens + 1, B, T);
        gpt2_zero_grad(&model);
        gpt2_backward(&model);
        gpt2_update(&model, 1e-3f, 0.9f, 0.999f, 1e-8f, 0, step);
        double seconds = now() - t0;
        if (step > 1 && seconds < best) best = seconds; // the first one allocates
    }
    // A loss that is not a number (-Ofast has broken llm.c before) would make the figure worthless.
    // Looked at by its bits, since -Ofast lets the compiler take isfinite for granted.
    uint32_t bits;
    memcpy(&bits, &model.mean_loss, sizeof bits);
    if ((bits >> 23 & 255) == 255) {
        fprintf(stderr, "llmc: the loss is not a number: this build of llm.c is broken\n");
        return 1;
    }
    printf("llm.c %s train %.0f tok/s\n", size[which].name, B * T / best);
    gpt2_free(&model);
    free(tokens);
    return 0;
}
