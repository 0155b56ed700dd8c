"""The network and the losses once more, in PyTorch, from the formulas: figures for test_pref.c.

    python3 dev/oracle.py > dev/oracle.h

Everything is float64 and every derivative comes from autograd, so no hand-written backward pass is
shared with pref.c. Inputs are sines of an index, which the test rebuilds for itself; only results
are printed, as C tables.
"""
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)                       # sums in one order: the same digits on each run

maxT, V, Vp, L, NH, C = 12, 13, 16, 2, 2, 8
LENGTHS = [12, 5, 9, 1]                        # rows of tokens, packed one after the other
N = sum(LENGTHS)

# llm.c's checkpoint order, then the scalar head
SHAPES = dict(
    wte=(Vp, C), wpe=(maxT, C), ln1w=(L, C), ln1b=(L, C), qkvw=(L, 3 * C, C), qkvb=(L, 3 * C),
    attprojw=(L, C, C), attprojb=(L, C), ln2w=(L, C), ln2b=(L, C), fcw=(L, 4 * C, C),
    fcb=(L, 4 * C), fcprojw=(L, C, 4 * C), fcprojb=(L, C), lnfw=(C,), lnfb=(C,),
    headw=(C,), headb=(1,))


def make_params():
    """Tensor k, flat index i: 0.3 sin(1.7 k + 0.31 i), plus 1 for the gains of the layer norms."""
    params = {}
    for k, (name, shape) in enumerate(SHAPES.items()):
        i = torch.arange(math.prod(shape), dtype=torch.float64)
        w = 0.3 * torch.sin(1.7 * k + 0.31 * i) + (name in ("ln1w", "ln2w", "lnfw"))
        params[name] = w.reshape(shape).requires_grad_()
    return params


def layer_norm(x, gain, bias):
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred * centred).mean(-1, keepdim=True)
    return centred / torch.sqrt(variance + 1e-5) * gain + bias


def gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def attention(x, p, l):
    """Causal self-attention within one row x: (T, C)."""
    T = len(x)
    q, k, v = (x @ p["qkvw"][l].T + p["qkvb"][l]).reshape(T, 3, NH, C // NH).permute(1, 2, 0, 3)
    scores = q @ k.transpose(1, 2) / math.sqrt(C // NH)                    # (NH, T, T)
    future = torch.ones(T, T, dtype=torch.bool).triu(1)
    weights = torch.softmax(scores.masked_fill(future, -math.inf), dim=-1)
    heads = (weights @ v).transpose(0, 1).reshape(T, C)
    return heads @ p["attprojw"][l].T + p["attprojb"][l]


def gpt(p, row):
    """One row of tokens (T) -> logp (T), of each token given those before it, and value (T)."""
    x = p["wte"][row] + p["wpe"][:len(row)]
    for l in range(L):
        x = x + attention(layer_norm(x, p["ln1w"][l], p["ln1b"][l]), p, l)
        h = layer_norm(x, p["ln2w"][l], p["ln2b"][l])
        h = gelu(h @ p["fcw"][l].T + p["fcb"][l])
        x = x + h @ p["fcprojw"][l].T + p["fcprojb"][l]
    x = layer_norm(x, p["lnfw"], p["lnfb"])
    logits = x @ p["wte"][:V].T                                           # padded rows take no part
    logp = torch.log_softmax(logits, dim=-1)[:-1].gather(1, row[1:, None])[:, 0]
    return torch.cat([torch.zeros(1), logp]), x @ p["headw"] + p["headb"]


def objective(p):
    """-> logp (N), value (N), and sum_i d[i] logp[i] + e[i] value[i]."""
    i = torch.arange(N)
    rows = ((i * i * 5 + i * 7 + 3) % V).split(LENGTHS)
    logp, value = (torch.cat(parts) for parts in zip(*(gpt(p, row) for row in rows)))
    d = torch.sin(0.9 * i + 0.2)           # of no effect at first tokens, whose logp is constant
    e = 0.5 * torch.cos(0.7 * i)
    return logp, value, (d * logp).sum() + (e * value).sum()


# ---------------------------------------------------------------------------------------------
# printing

def table(name, x, comment=""):
    """A scalar as a C constant, anything else as an array; 17 digits give a double back exactly."""
    x = torch.as_tensor(x).detach()
    if comment:
        print(f"// {comment}")
    dims = "".join(f"[{n}]" for n in x.shape)
    if not dims:
        print(f"static const double ORACLE_{name} = {x.item():.17g};")
        return
    lines = [", ".join(f"{v:.17g}" for v in row) for row in (x if x.dim() == 2 else x.split(4))]
    if x.dim() == 2:
        lines = [f"{{{line}}}" for line in lines]
    print(f"static const double ORACLE_{name}{dims} = {{\n    " + ",\n    ".join(lines) + "};")


def gpt_tables():
    p = make_params()
    logp, value, loss = objective(p)
    loss.backward()
    figures = []
    for k, w in enumerate(p.values()):
        g = w.grad.flatten()
        figures.append([g.norm(), (g * torch.cos(0.13 * torch.arange(len(g)) + k)).sum()])
    table("LOGP", logp, "log-probability of each token given those before it in its row")
    table("VALUE", value, "the scalar head at each position")
    table("L", loss, "sum_i d[i] logp[i] + e[i] value[i]")
    table("GRAD", torch.tensor(figures), "of each gradient: its norm, sum_i g[i] cos(0.13 i + k)")


def adamw_tables():
    p = make_params()
    optimizer = torch.optim.AdamW(p.values(), lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
    losses, norms = [], []
    for _ in range(3):
        optimizer.zero_grad()
        objective(p)[2].backward()
        norms.append(torch.nn.utils.clip_grad_norm_(p.values(), 1.0))
        optimizer.step()
        losses.append(objective(p)[2])
    table("ADAMW_L", torch.stack(losses), "the objective after each of 3 steps of AdamW")
    table("ADAMW_NORM", torch.stack(norms), "norm of the gradient before clipping, at each step")


# ---------------------------------------------------------------------------------------------
# the losses, on 4 rows with 12 response tokens

RESPONSES = [3, 2, 4, 3]
PAIRS = [(0, 1), (2, 3), (2, 1)]               # rows that won and lost


def row_sums(x):
    return torch.stack([part.sum() for part in x.split(RESPONSES)])


def margins(score):
    """(4) a score of each row -> (3) the winner's minus the loser's."""
    return torch.stack([score[won] - score[lost] for won, lost in PAIRS])


def loss_table(name, comment, x, loss):
    """Prints loss(x) and its gradient."""
    x = x.clone().requires_grad_()
    value = loss(x)
    table(name, value, comment)
    table(f"{name}_D", torch.autograd.grad(value, x)[0])


def loss_tables():
    i = torch.arange(sum(RESPONSES))
    logp = -1.5 + 0.4 * torch.sin(1.3 * i)
    ref_logp = -1.4 + 0.3 * torch.cos(0.9 * i)
    old_logp = logp + 0.3 * torch.sin(2.1 * i)
    A = torch.tensor([0.7, -1.1, 0.4, -0.2])
    lengths = torch.tensor(RESPONSES)
    beta, tau, rows = 0.1, 0.05, len(RESPONSES)

    def dpo(x):
        return -F.logsigmoid(beta * margins(row_sums(x - ref_logp))).mean()

    def ipo(x):
        return (margins(row_sums(x - ref_logp)) - 1 / (2 * tau)).square().mean()

    def ppo(x):
        r, a = torch.exp(x - old_logp), A.repeat_interleave(lengths)
        return -torch.minimum(r * a, r.clamp(0.8, 1.2) * a).sum() / rows

    def rwr(x):
        return -(torch.exp(A / 1.0).clamp(max=20) * row_sums(x)).sum() / rows

    def bradley_terry(s):
        return -F.logsigmoid(margins(s)).mean()

    loss_table("DPO", "DPO, beta 0.1, and dloss/dlogp", logp, dpo)
    loss_table("IPO", "IPO, tau 0.05, log-ratios summed over a row", logp, ipo)
    loss_table("PPO", "PPO, clip 0.2", logp, ppo)
    loss_table("RWR", "RWR, beta 1, weights at most 20", logp, rwr)
    loss_table("BT", "Bradley-Terry on scalars, and dloss/ds", torch.tensor([0.3, -0.2, 1.1, 0.9]),
               bradley_terry)


def value_tables():
    # GAE from its definition, a sum over the future, where a program would use the recursion
    reward = torch.tensor([0, 0, 0.2, 0, 1.0])
    value = torch.tensor([0.5, 0.4, 0.6, 0.3, 0.8])
    gamma, lam, T = 1.0, 0.95, len(reward)
    delta = reward + gamma * torch.cat([value[1:], torch.zeros(1)]) - value
    advantage = torch.stack([sum((gamma * lam) ** (s - t) * delta[s] for s in range(t, T))
                             for t in range(T)])
    table("GAE", advantage, "GAE, gamma 1, lambda 0.95, nothing after the last token")
    table("RETURNS", advantage + value)

    def clipped(v_old, target):
        def loss(v):
            near = torch.minimum(torch.maximum(v, v_old - 0.2), v_old + 0.2)
            return 0.5 * torch.maximum((v - target) ** 2, (near - target) ** 2).mean()
        return loss

    loss_table("VLOSS", "clipped value loss, mean, and dloss/dv", torch.tensor([0.5, 0.9, -0.1]),
               clipped(torch.tensor([0.4, 0.4, 0.4]), torch.tensor([1, 0, 0.3])))
    loss_table("VLOSS_CUT", "the same where the clipped term is the larger, so the gradient is 0:"
               " v 0.9, v_old 0.4, target 1", torch.tensor([0.9]),
               clipped(torch.tensor([0.4]), torch.tensor([1.0])))


if __name__ == "__main__":
    print("// Written by dev/oracle.py (PyTorch, float64): do not edit.")
    gpt_tables()
    adamw_tables()
    loss_tables()
    value_tables()
