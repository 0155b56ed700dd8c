"""PyTorch at our two bench sizes: the speed to beat. Users never need it; dev/peers.sh runs it.

    python3 dev/peers.py [A|B [train|sample]]        all four without arguments

A fair peer is PyTorch used well: one product for q, k and v, fused attention, fused AdamW, and for
sampling a preallocated key-value cache without autograd. Each figure is the best of eager and
compiled with 1 and 2 threads; which one wins depends on the machine. Each variant is a process of
its own: threads are fixed once torch has started, and one that takes more than PEERS_LIMIT seconds,
300 if unset, is stopped (compiling may hang). The best goes to stdout, each figure to stderr.
"""
import os
import signal
import subprocess
import sys
import time

# L layers, H heads, C channels, V tokens, T positions, B rows to train on, S rows to sample
MODELS = {"A": dict(L=4, H=4, C=128, V=512, T=128, B=32, S=64),
          "B": dict(L=3, H=3, C=48, V=100, T=10, B=100, S=100)}
WARMUP, STEPS, SECONDS = 3, 5, 4               # at least so many steps, for at least so long
BUCKET = 32                                    # cache lengths the compiled sampler knows


def best_time(step):
    for _ in range(WARMUP):
        step()
    best, n, start = float("inf"), 0, time.perf_counter()
    while n < STEPS or time.perf_counter() - start < SECONDS:
        t = time.perf_counter()
        step()
        best, n = min(best, time.perf_counter() - t), n + 1
    return best


def gpt(size):
    """A GPT-2 of that size, with random weights."""
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    L, H, C, V, T = (size[key] for key in "LHCVT")

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(C), nn.LayerNorm(C)
            self.qkv, self.proj = nn.Linear(C, 3 * C), nn.Linear(C, C)
            self.fc, self.fcproj = nn.Linear(C, 4 * C), nn.Linear(4 * C, C)

        def forward(self, x, attend):
            B, n, _ = x.shape
            q, k, v = self.qkv(self.ln1(x)).view(B, n, 3, H, C // H).permute(2, 0, 3, 1, 4)
            x = x + self.proj(attend(q, k, v).transpose(1, 2).reshape(B, n, C))
            return x + self.fcproj(F.gelu(self.fc(self.ln2(x)), approximate="tanh"))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(V, C), nn.Embedding(T, C)
            self.blocks = nn.ModuleList(Block() for _ in range(L))
            self.lnf = nn.LayerNorm(C)
            for p in self.parameters():
                if p.dim() > 1:
                    nn.init.normal_(p, std=0.02)

        def forward(self, tokens, pos, attend):
            """tokens (B,n), pos (n), attend: one function for each layer -> logits (B,n,V)"""
            x = self.wte(tokens) + self.wpe(pos)
            for block, f in zip(self.blocks, attend):
                x = block(x, f)
            return F.linear(self.lnf(x), self.wte.weight)

    torch.manual_seed(1)
    return GPT()


def train(size, compiled):
    """-> tokens a second"""
    import torch
    import torch.nn.functional as F
    L, V, T, B = (size[key] for key in "LVTB")
    model = gpt(size)
    params = list(model.parameters())
    try:
        optimizer = torch.optim.AdamW(params, lr=1e-3, weight_decay=0, fused=True)
    except (RuntimeError, TypeError):          # an older torch has no fused one on the CPU
        optimizer = torch.optim.AdamW(params, lr=1e-3, weight_decay=0)
    tokens, pos = torch.randint(V, (B, T + 1)), torch.arange(T)
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].reshape(-1)

    def attend(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    def loss():
        return F.cross_entropy(model(inputs, pos, [attend] * L).view(-1, V), targets)

    if compiled:
        loss = torch.compile(loss, dynamic=False)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()

    return B * T / best_time(step)


def sample(size, compiled):
    """-> tokens a second"""
    import torch
    import torch.nn.functional as F
    L, H, C, V, T, S = (size[key] for key in "LHCVTS")
    model = gpt(size)
    cache = [[torch.zeros(S, H, T, C // H) for _ in "kv"] for _ in range(L)]
    pos = torch.arange(T)
    future = torch.zeros(T, T).masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), -torch.inf)

    def draw(logits):
        # Inverse transform: one random number a row. torch.multinomial draws one a token, slower.
        c = torch.softmax(logits[:, -1], dim=-1).cumsum(-1)
        return torch.searchsorted(c, torch.rand(S, 1) * c[:, -1:]).clamp_(max=V - 1)

    def slices(t):
        """Eager: attend to the t+1 positions there are. Fused attention is the fastest."""
        def layer(K, W):
            def attend(q, k, v):
                K[:, :, t], W[:, :, t] = k[:, :, 0], v[:, :, 0]
                return F.scaled_dot_product_attention(q, K[:, :, :t + 1], W[:, :, :t + 1])
            return attend
        return [layer(K, W) for K, W in cache]

    def buckets(at, mask, cut):
        """Compiled: shapes must not change, or each position would compile anew, so attend to the
        positions rounded up to BUCKET and mask the rest. Written out, for the compiler to fuse."""
        def layer(K, W):
            def attend(q, k, v):
                K.index_copy_(2, at, k)
                W.index_copy_(2, at, v)
                scores = (q * (C // H) ** -0.5) @ K.transpose(-1, -2) + mask
                return torch.softmax(scores, dim=-1) @ W
            return attend
        return [layer(K, W) for K, W in cut]

    def next_fixed(tokens, at, mask, cut):
        return draw(model(tokens, at, buckets(at, mask, cut)))

    # a tensor for each layer's share, cut beforehand: compiled code would copy what it cuts itself
    cuts = {n: [(K[:, :, :n], W[:, :, :n]) for K, W in cache]
            for n in (min(i + BUCKET, T) for i in range(0, T, BUCKET))}

    if compiled:
        next_fixed = torch.compile(next_fixed, dynamic=False)

    def rollout():
        tokens, out = torch.zeros(S, 1, dtype=torch.long), []
        for t in range(T):
            at = pos[t:t + 1]
            if compiled:
                n = min((t // BUCKET + 1) * BUCKET, T)
                tokens = next_fixed(tokens, at, future[t:t + 1, :n], cuts[n])
            else:
                tokens = draw(model(tokens, at, slices(t)))
            out.append(tokens)
        return torch.cat(out, dim=1)

    with torch.inference_mode():
        return S * T / best_time(rollout)


def measure(model, what, mode, threads):
    """In a process of its own: prints tokens a second."""
    import torch
    torch.set_num_threads(threads)
    run = train if what == "train" else sample
    print(run(MODELS[model], mode == "compiled"))


def run_variant(model, what, mode, threads):
    """-> tokens a second, or 0 and says why"""
    name = f"torch {model} {what}: {mode}, {threads} thread{'s'[:threads - 1]}"
    process = subprocess.Popen(
        [sys.executable, __file__, model, what, mode, str(threads)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env=dict(os.environ, OMP_NUM_THREADS=str(threads)))
    try:
        out, err = process.communicate(timeout=float(os.environ.get("PEERS_LIMIT", 300)))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)             # with the compilers it started
        process.communicate()
        print(f"{name}: failed: took longer than PEERS_LIMIT", file=sys.stderr)
        return 0
    if process.returncode:
        why = (err.strip().splitlines() or ["no message"])[-1]
        print(f"{name}: failed: {why}", file=sys.stderr)
        return 0
    speed = float(out)
    print(f"{name}: {speed:.0f} tok/s", file=sys.stderr)
    return speed


def compare(model, what):
    """Prints the best variant. -> whether there was one"""
    speed, mode, threads = max((run_variant(model, what, mode, threads), mode, threads)
                               for mode in ("eager", "compiled") for threads in (1, 2))
    if speed:
        variant = f"{mode}, {threads} thread{'s'[:threads - 1]}"
        print(f"torch {model} {what} {speed:.0f} tok/s ({variant})", flush=True)
    return speed > 0


def main(args):
    choices = [MODELS, ("train", "sample"), ("eager", "compiled"), ("1", "2")]
    if len(args) not in (0, 1, 2, 4) or any(a not in c for a, c in zip(args, choices)):
        sys.exit(__doc__.split("\n\n")[1].strip())
    try:
        import torch                           # noqa: F401 (only asked for; variants import it)
    except ImportError as why:
        sys.exit(f"peers.py: {sys.executable} cannot import torch ({why}): pip install torch numpy")
    if len(args) == 4:
        return measure(*args[:3], int(args[3]))
    done = [compare(model, what) for model in args[:1] or MODELS
            for what in args[1:2] or ("train", "sample")]
    sys.exit(0 if all(done) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
