/*
driver.c: calls the functions of one part on small random inputs, and prints what they compute.

    driver PART SEED [hints]

It includes the student's pref.c (and kl.c), and is built with all other parts as stubs. It only
prints values: a label, an index and a number on each line, with tabs between them. Another program,
judge.c, compares these with the values of the solution. So nothing that a student writes can give
points, but the right values. Labels are what the student reads about a wrong value. A label that
begins with "= " names a constant by which a wrong value may be off. With `hints`, for the solution
alone, the values under some common mistakes are printed as well, as judge.c expects them.
*/
#define TESTING
#define NOT_WRITTEN  // not_written is defined below
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
static double not_written(const char *function, const char *part);
#include "pref.c"
#ifdef PART_KL
#include "kl.c"
#endif

static const char *graded;   // the part
static int hints;            // whether to print the values under common mistakes
static const char *mistake;  // the mistake that is being made, or NULL
static Rng rng;

// In the part on-policy, other parts that are stubs do next to nothing. Drawn tokens are random.
static double not_written(const char *function, const char *part) {
    static Rng other = 1;
    if (!strcmp(graded, "on-policy") && strcmp(part, "on-policy")) {
        return rng_below(&other, BANDIT_TOKENS);
    }
    fprintf(stderr, "%s is not written yet\n", function);
    exit(1);
}

static void put(int index, double x, const char *format, ...) {
    char label[200];
    va_list args;
    va_start(args, format);
    vsnprintf(label, sizeof label, format, args);
    va_end(args);
    if (mistake) {
        printf("?%s\t%d\t%.9g\t%s\n", label, index, x, mistake);
    } else {
        printf("%s\t%d\t%.9g\n", label, index, x);
    }
}

// Returns a label, which stays.
static char *text(const char *format, ...) {
    char *label = alloc(200, 1, "a label");
    va_list args;
    va_start(args, format);
    vsnprintf(label, 200, format, args);
    va_end(args);
    return label;
}

static void constant(const char *name, double x) {
    if (!mistake) { printf("= %s\t0\t%.9g\n", name, x); }
}

// From now on, values are those of a mistake. Returns whether they are wanted at all.
static int begin_mistake(const char *text) {
    mistake = text;
    return hints;
}

static double between(double a, double b) { return a + (b - a) * rng_uniform(&rng); }

static real *randoms(int n, double a, double b) {
    real *x = alloc(n, sizeof(real), "numbers");
    for (int i = 0; i < n; i++) { x[i] = (real)between(a, b); }
    return x;
}

// A batch with prompts and responses of several lengths. All that a loss can read is random; so are
// dlogp and dvalue, which are to be set to zero. After the last row and the last pair there is one
// more that does not count: who takes it for one gets other values.
static Batch random_batch(int n_groups, int group) {
    static const int lengths[] = {4, 7, 2, 8, 1, 4, 2};  // none is a number of pairs, rows or groups
    Batch b = batch_new((n_groups + 1) * group, (n_groups + 1) * group * 11, group);
    b.pair = alloc((uint64_t)n_groups * group * group, sizeof(Pair), "pairs");
    for (int p = 0; p < n_groups * group * group; p++) { b.pair[p] = (Pair){0, 1, 3}; }
    for (int r = 0; r < n_groups * group; r++) {
        int token[11], prompt = 1 + (r / group + 1) % 3, n = prompt + lengths[r % 7];
        for (int i = 0; i < n; i++) { token[i] = rng_below(&rng, 50); }
        batch_add(&b, token, n, prompt);
        b.reward[r] = between(-1, 1);
    }
    real **arrays[] = {&b.logp, &b.ref_logp, &b.old_logp, &b.value, &b.old_value, &b.returns,
                       &b.advantage, &b.dlogp, &b.dvalue};
    for (int i = 0; i < 9; i++) {
        *arrays[i] = randoms(b.n_tokens, i < 3 ? -3 : -2, i < 3 ? 0 : 2);
    }
    b.row[b.n_rows + 1] = b.n_tokens;  // the row too many: all tokens of the first response on
    b.start[b.n_rows] = b.start[0];
    b.reward[b.n_rows] = 0.9;
    return b;
}

// Prints x at the tokens of row r's response.
static void put_response(const Batch *b, const real *x, int r, const char *label) {
    for (int i = b->start[r]; i < b->row[r + 1]; i++) {
        put(i - b->start[r] + 1, (double)x[i], "%s", label);
    }
}

// Runs a loss. Prints its value only later, because what a wrong dlogp says is of more use.
static double start_loss(Batch *b, Loss loss, const Options *o) {
    double value = loss_and_dlogp(b, loss, o);
    constant("the number of responses", b->n_rows);
    constant("the number of pairs", b->n_pairs);
    return value;
}

// Prints x at the tokens of all prompts.
static void put_prompts(const Batch *b, const real *x, const char *label) {
    for (int r = 0, n = 0; r < b->n_rows; r++) {
        for (int i = b->row[r]; i < b->start[r]; i++) { put(++n, (double)x[i], "%s", label); }
    }
}

// Prints what remains to be seen of a loss: dlogp of the prompts, which is 0, and its value.
static void finish_loss(const Batch *b, double value, const char *which) {
    put_prompts(b, b->dlogp, text("dlogp of the prompts' tokens%s", which));
    put(0, value, "the loss%s", which);
}

// --- losses on pairs -----------------------------------------------------------------------------

// Pairs of rows of their own; and then groups of three, whose responses are in several pairs.
static void pairs_of_their_own(Batch *b, const double *weight) {
    b->n_pairs = b->n_rows / 2;
    for (int p = 0; p < b->n_pairs; p++) {
        b->pair[p] = (Pair){2 * p + p % 2, 2 * p + 1 - p % 2, weight[p]};
    }
}

static void put_pairs(const Batch *b) {
    char label[100];
    for (int p = 0; p < b->n_pairs; p++) {
        constant("the pair's weight", b->pair[p].weight);
        constant("the pair's margin h", margin(b, b->pair[p]));
        for (int k = 0; k < 2; k++) {
            int r = k ? b->pair[p].lost : b->pair[p].won;
            constant("the number of tokens in the response", response_length(b, r));
            snprintf(label, sizeof label, "dlogp of the %s response's tokens (pair %d)",
                     k ? "rejected" : "chosen", p + 1);
            put_response(b, b->dlogp, r, label);
        }
    }
}

// The values of pairs of their own under a mistake that is made by changing the batch or the options
// (then both are as before), and for dlogp by a factor.
static void put_mistaken_pairs(Batch b, Loss loss, Options o, double factor) {
    loss_and_dlogp(&b, loss, &o);
    for (int i = 0; i < b.n_tokens; i++) { b.dlogp[i] *= (real)factor; }
    put_pairs(&b);
}

static void put_pair_mistakes(const Batch *right, Loss loss, const Options *o) {
    Batch b = *right;
    if (begin_mistake("of sums over prompt and response: is the response alone summed?")) {
        b.start = right->row;
        put_mistaken_pairs(b, loss, *o, 1);
        b.start = right->start;
    }
    b.pair = alloc(b.n_pairs, sizeof(Pair), "pairs");
    for (int p = 0; p < b.n_pairs; p++) {
        Pair y = right->pair[p];
        b.pair[p] = (Pair){y.lost, y.won, y.weight};
    }
    double value = 0;
    if (begin_mistake("of chosen and rejected exchanged")) {
        value = loss_and_dlogp(&b, loss, o);
        for (int p = 0; p < b.n_pairs; p++) { b.pair[p] = right->pair[p]; }
        put_pairs(&b);
        finish_loss(&b, value, "");
    }
    if (loss != loss_ipo && begin_mistake("divided by the number of responses, not of pairs")) {
        put_mistaken_pairs(b, loss, *o, 0.5);
    }
    if (begin_mistake("of the last pair alone: is something added to the loss, or set?")) {
        Pair last = right->pair[right->n_pairs - 1];
        last.weight /= right->n_pairs;
        Batch one = *right;
        one.pair = &last;
        one.n_pairs = 1;
        put(0, loss_and_dlogp(&one, loss, o), "the loss");
    }
    if (loss == loss_pref_ft) { return; }
    if (begin_mistake("without the reference: h has log pi_ref, too")) {
        b.ref_logp = randoms(b.n_tokens, 0, 0);
        put_mistaken_pairs(b, loss, *o, 1);
        b.ref_logp = right->ref_logp;
    }
    if (loss == loss_ipo) {
        if (begin_mistake("with beta in the place of tau")) {
            put_mistaken_pairs(b, loss, (Options){.tau = o->beta}, 1);
        }
        return;
    }
    if (begin_mistake("without beta")) { put_mistaken_pairs(b, loss, (Options){.beta = 1}, 1); }
    if (begin_mistake("without beta inside the sigmoid")) {
        put_mistaken_pairs(b, loss, (Options){.beta = 1}, o->beta);
    }
    if (begin_mistake("with tau in the place of beta")) {
        put_mistaken_pairs(b, loss, (Options){.beta = o->tau}, 1);
    }
    if (begin_mistake("with sigmoid(beta h) for sigmoid(-beta h)")) {
        put_mistaken_pairs(b, loss, (Options){.beta = -o->beta}, -1);
    }
    if (begin_mistake("with log sigmoid for sigmoid: exp is missing")) {
        loss_and_dlogp(&b, loss, o);
        for (int p = 0; p < b.n_pairs; p++) {
            Pair y = b.pair[p];
            double x = log_sigmoid(-o->beta * margin(&b, y));
            for (int r = 0; r < 2; r++) {
                int row = r ? y.lost : y.won;
                for (int i = b.start[row]; i < b.row[row + 1]; i++) {
                    b.dlogp[i] *= (real)(x / exp(x));
                }
            }
        }
        put_pairs(&b);
    }
}

// The tokens of responses that are in two pairs; b has groups of three.
static void put_shared(const Batch *b) {
    char label[100];
    for (int r = 0; r < b->n_rows; r++) {
        snprintf(label, sizeof label, "dlogp of the tokens of response %d (it is in two pairs)",
                 r + 1);
        put_response(b, b->dlogp, r, label);
    }
}

// What the last pair of each response adds to its dlogp.
static void put_last_pairs(Batch b, Loss loss, const Options *o) {
    int n = b.n_pairs;
    real *dlogp = randoms(b.n_tokens, 0, 0);
    const Pair *pair = b.pair;
    for (int p = 0; p < n; p++) {
        Pair y = pair[p];
        y.weight /= n;
        b.pair = &y;
        b.n_pairs = 1;
        loss_and_dlogp(&b, loss, o);
        for (int i = 0; i < b.n_tokens; i++) { dlogp[i] = b.dlogp[i] != 0 ? b.dlogp[i] : dlogp[i]; }
    }
    b.dlogp = dlogp;
    put_shared(&b);
}

// With the third case's beta, exp(-beta h) overflows.
static void grade_pairs(Loss loss) {
    static const double weights[] = {0.7, 1.6, 1, 2.3, 0.4};
    static const Options cases[] = {{.beta = 0.3, .tau = 0.15}, {.beta = 2.5, .tau = 0.8},
                                    {.beta = 2000, .tau = 0.002}};
    Batch b = random_batch(5, 2), g = random_batch(2, 3);
    pairs_of_their_own(&b, weights);
    make_pairs(&g);
    for (int k = 0; k < 3; k++) {
        const Options *o = &cases[k];
        constant("beta", o->beta);
        constant("tau", o->tau);
        double value = start_loss(&b, loss, o);
        put_pairs(&b);
        finish_loss(&b, value, k < 2 ? "" : " (beta h is as large as 10,000)");
        if (k < 2) { put_pair_mistakes(&b, loss, o); }
        mistake = NULL;
        value = start_loss(&g, loss, o);
        put_shared(&g);
        finish_loss(&g, value, " of groups of three responses");
        if (begin_mistake("of each response's last pair: is something added to dlogp, or set?")) {
            put_last_pairs(g, loss, o);
        }
        mistake = NULL;
    }
}

static void put_dvalue(const Batch *b) {
    char *seen = alloc(b->n_tokens, 1, "marks");
    for (int p = 0; p < b->n_pairs; p++) {
        constant("the pair's weight", b->pair[p].weight);
        for (int k = 0; k < 2; k++) {
            int at = b->row[(k ? b->pair[p].lost : b->pair[p].won) + 1] - 1;
            put(1, (double)b->dvalue[at], "dvalue of the %s response's last token (pair %d)",
                k ? "rejected" : "chosen", p + 1);
            seen[at] = 1;
        }
    }
    for (int i = 0, n = 0; i < b->n_tokens; i++) {
        if (!seen[i]) { put(++n, (double)b->dvalue[i], "dvalue of all tokens but the last ones"); }
    }
}

static void grade_bradley_terry(void) {
    static const double weights[] = {0.7, 1.6, 1, 2.3, 0.4};
    Batch b = random_batch(5, 2), g = random_batch(2, 3);
    pairs_of_their_own(&b, weights);
    make_pairs(&g);
    double value = start_loss(&b, loss_bradley_terry, NULL);
    put_dvalue(&b);
    finish_loss(&b, value, "");
    value = start_loss(&g, loss_bradley_terry, NULL);
    for (int r = 0; r < g.n_rows; r++) {
        put(1, (double)g.dvalue[g.row[r + 1] - 1],
            "dvalue of the last token of response %d (it is in two pairs)", r + 1);
    }
    put(0, value, "the loss of groups of three responses");
    if (begin_mistake("of chosen and rejected exchanged")) {
        for (int p = 0; p < b.n_pairs; p++) {
            Pair y = b.pair[p];
            b.pair[p] = (Pair){y.lost, y.won, y.weight};
        }
        loss_and_dlogp(&b, loss_bradley_terry, NULL);
        pairs_of_their_own(&b, weights);
        put_dvalue(&b);
    }
}

// --- losses on rewards and advantages ------------------------------------------------------------

// Groups of four: the second has two best and two worst responses, all rewards of the third are
// equal. `best` and `worst` are the right ones in each.
static void put_bon(Batch *b, const Options *o) {
    static const int best[] = {2, 1, 0}, worst[] = {3, 0, 0};
    static const char *const which[] = {"", ", where two are best and two worst",
                                        ", where all rewards are equal"};
    char label[150];
    double value = loss_and_dlogp(b, loss_bon, o);
    for (int r = 0; r < b->n_rows; r++) {
        int g = r / 4, i = r % 4;
        const char *what = i == best[g] ? "best" : i == worst[g] ? "worst" : "middle";
        constant("the number of tokens in the response", response_length(b, r));
        snprintf(label, sizeof label,
                 "dlogp of the %s response's tokens (response %d of group %d%s)", what, i + 1,
                 g + 1, which[g]);
        put_response(b, b->dlogp, r, label);
    }
    finish_loss(b, value, "");
}

static void grade_bon(void) {
    Batch b = random_batch(3, 4);
    const double rewards[] = {0.2, 0.5, 0.9, -0.3, -0.4, 0.8, 0.8, -0.4, 0.25, 0.25, 0.25, 0.25};
    const Options cases[] = {{.push_worst = 0.4}, {.push_worst = 0}};
    memcpy(b.reward, rewards, sizeof rewards);
    constant("--push-worst", 0.4);
    constant("the number of groups", 3);
    constant("the number of responses", 12);
    for (int k = 0; k < 2; k++) {
        put_bon(&b, &cases[k]);
        if (begin_mistake("of a loss that imitates the worst response, not the best")) {
            for (int r = 0; r < b.n_rows; r++) { b.reward[r] = -rewards[r]; }
            put_bon(&b, &cases[k]);
        }
        memcpy(b.reward, rewards, sizeof rewards);
        if (begin_mistake("without --push-worst")) { put_bon(&b, &cases[1]); }
        mistake = NULL;
    }
}

// The third and the sixth response have so large an advantage that the cap is reached.
static void put_rwr(Batch *b, const Options *o) {
    char label[150];
    double value = loss_and_dlogp(b, loss_rwr, o);
    for (int r = 0; r < b->n_rows; r++) {
        constant("the number of tokens in the response", response_length(b, r));
        constant("exp(A / beta)", exp((double)b->advantage[b->start[r]] / o->beta));
        snprintf(label, sizeof label, "dlogp of response %d's tokens%s", r + 1,
                 r % 3 == 2 ? ", whose exp(A / beta) is above 20" : "");
        put_response(b, b->dlogp, r, label);
    }
    finish_loss(b, value, "");
}

static void grade_rwr(void) {
    Batch b = random_batch(2, 3);
    for (int r = 0; r < b.n_rows; r++) {
        double A = r % 3 == 2 ? between(2.5, 3) : between(-1, 1);
        for (int i = b.start[r]; i < b.row[r + 1]; i++) { b.advantage[i] = (real)A; }
    }
    constant("beta", 0.6);
    constant("the number of responses", b.n_rows);
    put_rwr(&b, &(Options){.beta = 0.6});
    if (begin_mistake("without beta")) { put_rwr(&b, &(Options){.beta = 1}); }
    if (begin_mistake("with A * beta for A / beta")) { put_rwr(&b, &(Options){.beta = 1 / 0.6}); }
}

static void grade_reinforce(void) {
    Batch b = random_batch(2, 3);
    double value = start_loss(&b, loss_reinforce, NULL);
    char label[100];
    for (int r = 0; r < b.n_rows; r++) {
        constant("the number of tokens in the response", response_length(&b, r));
        snprintf(label, sizeof label, "dlogp of response %d's tokens", r + 1);
        put_response(&b, b.dlogp, r, label);
    }
    finish_loss(&b, value, "");
    if (begin_mistake("of the last token alone: is something added to the loss, or set?")) {
        int last = b.row[b.n_rows] - 1;
        put(0, (double)(b.dlogp[last] * b.logp[last]), "the loss");
    }
}

// The tokens of a batch for PPO are of eight kinds: kind[i] % 4 says how large the ratio is, and the
// advantage is positive for the first four.
static void put_ppo(const Batch *b, const int *kind) {
    static const char *const where[] = {
        "ratio, about 0.5, is below 1 - clip", "ratio, about 0.85, is within the bounds",
        "ratio, about 1.2, is within the bounds", "ratio, about 1.7, is above 1 + clip"};
    for (int k = 0, number = 0; k < 8; k++, number = 0) {
        for (int r = 0; r < b->n_rows; r++) {
            for (int i = b->start[r]; i < b->row[r + 1]; i++) {
                if (kind[i] != k) { continue; }
                put(++number, (double)b->dlogp[i],
                    "dlogp of tokens whose %s and whose advantage is %s", where[k % 4],
                    k < 4 ? "positive" : "negative");
            }
        }
    }
}

// Sets dlogp to -A_t / n_rows, times the ratio if by_ratio is set. The tokens of the kinds in `zero`,
// which has a digit for each, get 0.
static void ppo_by_hand(Batch *b, const int *kind, int by_ratio, const char *zero) {
    for (int i = 0; i < b->n_tokens; i++) {
        real ratio = by_ratio ? exp(b->logp[i] - b->old_logp[i]) : 1;
        b->dlogp[i] = strchr(zero, '0' + kind[i]) ? 0 : -ratio * b->advantage[i] / b->n_rows;
    }
    put_ppo(b, kind);
}

// Ratios below, within and above 1 - clip to 1 + clip, each with advantages of both signs.
static void grade_ppo(void) {
    static const double ratio[] = {0.5, 0.85, 1.2, 1.7};
    Batch b = random_batch(4, 3);
    const Options o = {.clip = 0.3};
    int kind[200] = {0}, n = 0, outside = 0;
    for (int r = 0; r < b.n_rows; r++) {
        for (int i = b.start[r]; i < b.row[r + 1]; i++, n++) {
            double size = between(0.3, 1.5);
            kind[i] = n % 8;
            outside += n % 4 == 0 || n % 4 == 3;
            b.logp[i] = b.old_logp[i] + (real)log(ratio[n % 4] * between(0.95, 1.05));
            b.advantage[i] = (real)(n % 8 < 4 ? size : -size);
        }
    }
    constant("the number of tokens in all responses", n);
    constant("the number of responses / the number of their tokens", (double)b.n_rows / n);
    constant("1 + clip", 1.3);
    constant("1 - clip", 0.7);
    double value = start_loss(&b, loss_ppo, &o);
    put_ppo(&b, kind);
    put_prompts(&b, b.dlogp, "dlogp of the prompts' tokens");
    put(0, b.clip_frac, "clip_frac");
    put(0, value, "the loss");
    if (begin_mistake("of the last token alone: is something added to the loss, or set?")) {
        int last = b.row[b.n_rows] - 1;  // for kinds 3 and 4 the clipped term is smaller
        double A = (double)b.advantage[last], rho = exp((double)(b.logp[last] - b.old_logp[last]));
        rho = kind[last] == 3 ? 1.3 : kind[last] == 4 ? 0.7 : rho;
        put(0, -rho * A / b.n_rows, "the loss");
    }
    if (begin_mistake("of all tokens, those of the prompts too")) {
        put(0, b.clip_frac * n / b.n_tokens, "clip_frac");
    }
    if (begin_mistake("of a quotient of integers, which is 0")) { put(0, 0, "clip_frac"); }
    if (begin_mistake("of all ratios out of bounds, whichever term is smaller")) {
        put(0, (double)outside / n, "clip_frac");
    }
    // The clipped term is the smaller one for kind 3 (above, positive) and 4 (below, negative).
    if (begin_mistake("of a clip that does not ask which of the two terms is smaller")) {
        ppo_by_hand(&b, kind, 1, "0347");
    }
    if (begin_mistake("without a clip: dlogp is 0 where the clipped term is smaller")) {
        ppo_by_hand(&b, kind, 1, "");
    }
    if (begin_mistake("with the ratio upside down: rho is pi / pi_old")) {
        Batch exchanged = b;
        exchanged.logp = b.old_logp;
        exchanged.old_logp = b.logp;
        loss_and_dlogp(&exchanged, loss_ppo, &o);
        put_ppo(&exchanged, kind);
    }
    if (begin_mistake("with a clip of 0.2, whatever --clip is")) {
        loss_and_dlogp(&b, loss_ppo, &(Options){.clip = 0.2});
        put_ppo(&b, kind);
    }
    if (begin_mistake("without rho")) { ppo_by_hand(&b, kind, 0, "34"); }
    if (begin_mistake("with ref_logp in the place of old_logp")) {
        b.old_logp = b.ref_logp;
        loss_and_dlogp(&b, loss_ppo, &o);
        put_ppo(&b, kind);
    }
}

// --- advantages ----------------------------------------------------------------------------------

static void put_advantages(const Batch *b, const char *which) {
    for (int r = 0; r < b->n_rows; r++) {
        put_response(b, b->advantage, r, text("advantage of response %d's tokens (%s)", r + 1, which));
    }
    put_prompts(b, b->advantage, text("advantage of the prompts' tokens, which stays (%s)", which));
}

// Sets and prints the advantages of a batch, and the rewards after the penalty, from these rewards.
static void put_case(Batch b, const double *reward, int baseline, double kl, const char *which) {
    memcpy(b.reward, reward, b.n_rows * sizeof *reward);
    set_advantages(&b, baseline, kl);
    for (int r = 0; r < b.n_rows; r++) {
        put(r + 1, b.reward[r], "rewards after the KL penalty (%s)", which);
    }
    put_advantages(&b, which);
}

// Four groups of four: one has ties, and one equal rewards. Then groups of one response.
static void grade_advantages(void) {
    for (int k = 0; k < 12; k++) {
        int baseline = k % 3, alone = k >= 6;
        double kl = k % 6 >= 3 ? 0.2 : 0;
        Batch b = alone ? random_batch(3, 1) : random_batch(4, 4);
        for (int r = 0; r < 4 && !alone; r++) {
            b.reward[4 + r] = r % 2 ? 0.5 : 0.125;
            b.reward[8 + r] = 0.25;
        }
        char which[80];
        snprintf(which, sizeof which, "%s, groups of %d, kl %g", BASELINES[baseline], b.group, kl);
        int n = b.group;
        constant("(n - 1) / n", n > 1 ? (n - 1.0) / n : 1);
        constant("sqrt(n / (n - 1)): divide by n - 1 in the standard deviation",
                 n > 1 ? sqrt(n / (n - 1.0)) : 1);
        constant("n, the responses in a group", n);
        double before[16];
        memcpy(before, b.reward, b.n_rows * sizeof *before);
        put_case(b, before, baseline, kl, which);
        if (begin_mistake("of another baseline, none")) { put_case(b, before, NO_BASELINE, kl, which); }
        if (kl > 0 && begin_mistake("without the KL penalty")) {
            put_case(b, before, baseline, 0, which);
        }
        Batch other = b;
        if (kl > 0 && begin_mistake("with the sign of the KL penalty wrong")) {
            other.old_logp = b.ref_logp;
            other.ref_logp = b.old_logp;
            put_case(other, before, baseline, kl, which);
        }
        if (kl > 0 && begin_mistake("with logp in the place of old_logp")) {
            other.old_logp = b.logp;
            other.ref_logp = b.ref_logp;
            put_case(other, before, baseline, kl, which);
        }
        if (baseline == LEAVE_ONE_OUT && n > 1 && begin_mistake("with (n - 1) / n for n / (n - 1)")) {
            memcpy(b.reward, before, b.n_rows * sizeof *before);
            set_advantages(&b, baseline, kl);
            for (int r = 0; r < b.n_rows; r++) {
                for (int i = b.start[r]; i < b.row[r + 1]; i++) {
                    b.advantage[i] *= (n - 1.0) * (n - 1.0) / n / n;
                }
            }
            put_advantages(&b, which);
        }
        mistake = NULL;
    }
}

// `which` tells the cases apart. returns - V are the advantages before they are normalised.
static void put_gae(Batch *b, double lambda, double kl, const char *which) {
    char label[150];
    set_advantages_gae(b, lambda, kl);
    for (int k = 0; k < 2; k++) {
        for (int r = 0; r < b->n_rows; r++) {
            snprintf(label, sizeof label, "%s of response %d's tokens (%s)",
                     k ? "advantage" : "returns", r + 1, which);
            put_response(b, k ? b->advantage : b->returns, r, label);
        }
    }
}

static void grade_gae(void) {
    for (int k = 0; k < 3; k++) {
        double lambda = k ? 0.4 : 0.7, kl = k == 1 ? 0 : 0.3;
        char which[80];
        snprintf(which, sizeof which, "lambda %g, kl %g", lambda, kl);
        Batch b = random_batch(2, 3);
        int n = 0;
        for (int r = 0; r < b.n_rows; r++) { n += response_length(&b, r); }
        constant("lambda", lambda);
        constant("kl", kl);
        constant("sqrt((n - 1) / n): divide by n in the standard deviation", sqrt((n - 1.0) / n));
        put_gae(&b, lambda, kl, which);
        if (begin_mistake("with a lambda of 1: is A_{t+1} multiplied by lambda?")) {
            put_gae(&b, 1, kl, which);
        }
        if (begin_mistake("with a lambda of 0: is lambda A_{t+1} added?")) {
            put_gae(&b, 0, kl, which);
        }
        if (begin_mistake("without the KL penalty")) { put_gae(&b, lambda, 0, which); }
        if (begin_mistake("with the sign of the KL penalty wrong")) {
            Batch exchanged = b;
            exchanged.old_logp = b.ref_logp;
            exchanged.ref_logp = b.old_logp;
            put_gae(&exchanged, lambda, kl, which);
        }
        if (begin_mistake("before they are normalised")) {
            set_advantages_gae(&b, lambda, kl);
            for (int i = 1; i < b.n_tokens; i++) {
                b.advantage[i] = b.returns[i] - b.old_value[i - 1];
            }
            put_advantages(&b, which);
        }
        mistake = NULL;
    }
}

// --- the network and the sampler -----------------------------------------------------------------

static void grade_logp(void) {
    enum { V = 7, N = 11 };
    const int row[] = {0, 4, 5, 8, 11}, n_rows = 4;
    for (int k = 0; k < 2; k++) {
        const char *which = k ? " (logits up to 1000)" : "";
        int token[N];
        real *l = randoms(N * V, k ? -1000 : -3, k ? 1000 : 3), *logp = randoms(N, 1, 2);
        for (int i = 0; i < N; i++) {
            token[i] = rng_below(&rng, V);
            if (k) { l[i * V + 2] = l[i * V + 5] + 1; }  // not all probabilities are 0 or 1
        }
        logp_forward(logp, l, token, row, n_rows, V);
        for (int r = 0; r < n_rows; r++) {
            for (int i = row[r]; i < row[r + 1]; i++) {
                put(i - row[r] + 1, (double)logp[i], "logp of row %d's tokens%s", r + 1, which);
            }
        }
        for (int i = 0; i < N * V; i++) {
            put(i % V, (double)l[i], "probabilities that logp_forward leaves at token %d of %d%s",
                i / V + 1, N, which);
        }
        real *dlogp = randoms(N, -1, 1);
        logp_backward(l, dlogp, token, row, n_rows, V);
        for (int i = 0; i < N * V; i++) {
            put(i % V, (double)l[i], "dlogits at token %d of %d%s", i / V + 1, N, which);
        }
    }
}

// dqkv and dp hold garbage before.
static void grade_attention(void) {
    enum { C = 12, NH = 3, HS = C / NH, N = 11, T = 5 };
    const int row[] = {0, 4, 5, 10, 11}, n_rows = 4;
    real *qkv = randoms(N * 3 * C, -2, 2), *dy = randoms(N * C, -1, 1), *y = randoms(N * C, 0, 1);
    real *prob = randoms(N * NH * T, 0, 1), *dp = randoms(N * NH * T, 5, 9);
    real *dqkv = randoms(N * 3 * C, 5, 9);
    static const char *const what[] = {"dq", "dk", "dv"};
    attention_forward(y, prob, qkv, row, n_rows, C, NH);
    attention_backward(dqkv, dp, dy, prob, qkv, row, n_rows, C, NH);
    constant("sqrt(hs)", sqrt(HS));
    constant("hs", HS);
    for (int k = 2; k >= 0; k--) {  // dv is the simplest, so it is shown first
        for (int r = 0; r < n_rows; r++) {
            for (int h = 0; h < NH; h++) {
                for (int i = 0; i < (row[r + 1] - row[r]) * HS; i++) {
                    int at = (row[r] + i / HS) * 3 * C + k * C + h * HS + i % HS;
                    put(i, (double)dqkv[at], "%s of head %d in row %d", what[k], h, r + 1);
                }
            }
        }
    }
}

// Draws 80 tokens, each from logits of its own with many ties, and from a stream of its own.
static void put_draws(Sampling how, uint64_t stream, const char *which) {
    enum { V = 12, DRAWS = 80 };
    int token[DRAWS];
    real p[V], logits[V], logp[DRAWS];
    for (int i = 0; i < DRAWS; i++) {
        Rng r = rng_stream((int)stream, 'd', i), u = rng_stream((int)stream, 'u', i);
        for (int v = 0; v < V; v++) {
            logits[v] = (real)(rng_below(&r, 8) * 0.5 - 2);
            if (rng_below(&r, 6) == 0) { logits[v] = -5000; }  // its probability is 0
        }
        if (i % 8 == 0) {
            logits[0] = -5000;
            logits[1 + i / 8 % 2] = 1;
            u = -0x9e3779b97f4a7c15u;  // gives 0, the lowest uniform number
        }
        token[i] = draw(logits, p, V, &how, &u, &logp[i]);
    }
    for (int i = 0; i < DRAWS; i++) { put(i + 1, token[i], "tokens drawn (%s)", which); }
    for (int i = 0; i < DRAWS; i++) {
        put(i + 1, (double)logp[i], "logp of the tokens drawn (%s)", which);
    }
}

static void grade_draw(void) {
    static const struct { double temperature; int top_k; } cases[] = {
        {1, 0}, {0.6, 0}, {1.7, 0}, {1, 3}, {0.5, 4}, {0, 0}, {1e-31, 5}, {1, 12}, {2, 100},
    };
    for (int k = 0; k < 9; k++) {
        uint64_t stream = rng_next(&rng) >> 40;
        Sampling how = {.temperature = cases[k].temperature, .top_k = cases[k].top_k};
        char which[80];
        snprintf(which, sizeof which, "temperature %g, top_k %d", how.temperature, how.top_k);
        put_draws(how, stream, which);
        if (begin_mistake("at a temperature of 1")) {
            put_draws((Sampling){.temperature = 1, .top_k = how.top_k}, stream, which);
        }
        if (begin_mistake("without top_k")) {
            put_draws((Sampling){.temperature = how.temperature}, stream, which);
        }
        mistake = NULL;
    }
}

// --- who samples ---------------------------------------------------------------------------------

// Runs tune on a tiny bandit, whose model stands in a file. What it prints itself goes nowhere.
static void put_run(Options o, const Batch *pairs) {
    char which[100];
    Run run;
    o.method = "sft";
    o.task = "r1";
    o.baseline = "none";
    o.model = "model.bin";
    o.neg = 1;
    o.seed = 5;
    o.len = 2;
    o.eval_every = o.steps;
    o.n = 2;
    snprintf(which, sizeof which, "%s, --steps %d --batch %d --collect %d --reuse %d%s", PROGRAM,
             o.steps, o.batch, o.collect, o.reuse, pairs ? " --pairs FILE" : "");
    fflush(stdout);
    int out = dup(STDOUT_FILENO), nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDOUT_FILENO);
    run_init(&run, &o);
    if (pairs) {
        o.pairs = "pairs.tsv";
        run.data = *pairs;
    }
    tune(&run);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    const GPT *source = run.source;
    put(0, source == NULL ? 0 : source == &run.policy ? 1 : source == &run.ref ? 2 : -1,
        "who samples: 0 nobody, 1 the policy, 2 the reference (%s)", which);
    put(0, run.at_once, "prompts in a collection (%s)", which);
    put(0, run.total, "prompts in all collections (%s)", which);
    put(0, run.round, "number of collections (%s)", which);
    put(0, run.queries, "responses sampled, or read (%s)", which);
    put(0, run.data.n_rows, "responses in the last collection (%s)", which);
}

static void grade_on_policy(void) {
    GPT g = gpt_new((Config){3, BANDIT_TOKENS, 1, 1, 8, BANDIT_TOKENS}, 0, 0);
    gpt_init(&g, 1);
    gpt_save(&g, "model.bin");
    put_run((Options){.steps = 6, .batch = 2, .collect = 2, .reuse = 1}, NULL);
    put_run((Options){.steps = 7, .batch = 2, .collect = 4, .reuse = 2}, NULL);
    put_run((Options){.steps = 3, .batch = 2, .collect = 40, .reuse = 1}, NULL);
#ifndef ON_POLICY
    Batch pairs = batch_new(10, 30, 2);
    for (int r = 0; r < 10; r++) {
        batch_add(&pairs, (int[]){r / 2, rng_below(&rng, 100), rng_below(&rng, 100)}, 3, 1);
    }
    put_run((Options){.steps = 4, .batch = 2, .collect = 2, .reuse = 1}, &pairs);
#endif
}

// --- forward and reverse KL ----------------------------------------------------------------------

#ifdef PART_KL
static void put_kl(const double *p, const double *t, double kl, int reverse, const char *which) {
    double d[BINS];
    for (int i = 0; i < BINS; i++) { d[i] = 7; }
    kl_gradient(p, t, kl, reverse, d);
    for (int i = 0; i < BINS; i++) { put(i, d[i], "d of the %s", which); }
}

static void grade_kl(void) {
    for (int k = 0; k < 4; k++) {
        double logit[2][BINS], p[BINS], t[BINS];
        int bins = k < 2 ? BINS : BINS / 2, reverse = k % 2;  // no mass in the other half
        for (int i = 0; i < 2 * BINS; i++) {
            logit[i / BINS][i % BINS] = i % BINS < bins ? between(-2, 2) : -INFINITY;
        }
        softmax_of(logit[0], p);
        softmax_of(logit[1], t);
        double kl = kl_divergence(p, t);
        char which[80];
        snprintf(which, sizeof which, "%s KL%s", reverse ? "reverse" : "forward",
                 k < 2 ? "" : ", half of the bins without mass");
        constant("KL(p || t)", kl);
        put_kl(p, t, kl, reverse, which);
        if (begin_mistake("without the term - KL(p || t)") && reverse) {
            put_kl(p, t, 0, reverse, which);
        }
        if (begin_mistake("with + KL(p || t) for - KL(p || t)") && reverse) {
            put_kl(p, t, -kl, reverse, which);
        }
        if (begin_mistake("of the other direction")) { put_kl(p, t, kl, !reverse, which); }
        mistake = NULL;
    }
}
#else
static void grade_kl(void) {}
#endif

static void grade_pref_ft(void) { grade_pairs(loss_pref_ft); }
static void grade_dpo(void) { grade_pairs(loss_dpo); }
static void grade_ipo(void) { grade_pairs(loss_ipo); }

int main(int argc, char **argv) {
    static const struct { const char *part; void (*grade)(void); } parts[] = {
        {"logp", grade_logp}, {"attention", grade_attention}, {"draw", grade_draw},
        {"pref-ft", grade_pref_ft}, {"bon", grade_bon}, {"rwr", grade_rwr},
        {"reinforce", grade_reinforce}, {"ppo", grade_ppo}, {"dpo", grade_dpo}, {"ipo", grade_ipo},
        {"bradley-terry", grade_bradley_terry}, {"advantages", grade_advantages},
        {"gae", grade_gae}, {"on-policy", grade_on_policy}, {"kl", grade_kl},
    };
    stop_if(argc < 3, 2, "usage: %s PART SEED, for example %s dpo 1", argv[0], argv[0]);
    graded = argv[1];
    hints = argc > 3;
    rng = rng_stream(atoi(argv[2]), 'g', 0);
    size_t n = sizeof parts / sizeof *parts, i = 0;
    while (i < n && strcmp(parts[i].part, graded)) { i++; }
    stop_if(i == n, 2, "the driver has no part %s", graded);
    parts[i].grade();
    return 0;
}
