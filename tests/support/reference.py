"""ReSTR's equations once more, in NumPy and float64, straight from the paper's text: what the model is held against.

Nothing here shares code with ``restr``. ``w`` is a dict of arrays named as in the model's state dict; one image and one
sentence without padding at a time, so that no equation is hidden behind a mask or a batch.
"""

from __future__ import annotations

import math

import numpy as np

Weights = dict[str, np.ndarray]


def under(w: Weights, prefix: str) -> Weights:
    """The weights below a prefix, without it."""
    return {name[len(prefix) :]: value for name, value in w.items() if name.startswith(prefix)}


def linear(w: Weights, name: str, x: np.ndarray) -> np.ndarray:
    y = x @ w[f"{name}.weight"].T
    return y + w[f"{name}.bias"] if f"{name}.bias" in w else y


def layer_norm(w: Weights, name: str, x: np.ndarray, eps: float) -> np.ndarray:
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + eps) * w[f"{name}.weight"] + w[f"{name}.bias"]


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def attention(w: Weights, z: np.ndarray, heads: int) -> np.ndarray:
    """MSA(z) = [SA_1(z) ... SA_k(z)] W; SA(z) = softmax(q k^T / sqrt(D_h)) v. z (n d)."""
    d = z.shape[1] // heads
    q, k, v = np.split(linear(w, "qkv", z), 3, axis=1)
    parts = []
    for h in range(heads):
        at = slice(h * d, (h + 1) * d)
        parts.append(softmax(q[:, at] @ k[:, at].T / math.sqrt(d)) @ v[:, at])
    return linear(w, "proj", np.concatenate(parts, axis=1))


def mlp(w: Weights, z: np.ndarray) -> np.ndarray:
    return linear(w, "fc2", gelu(linear(w, "fc1", z)))


def block(w: Weights, z: np.ndarray, heads: int, norm: str = "pre", eps: float = 1e-6) -> np.ndarray:
    def scaled(name: str, x: np.ndarray) -> np.ndarray:
        return x * w.get(f"{name}.gamma", np.ones(1))

    if norm == "post":
        z = layer_norm(w, "norm1", z + scaled("ls1", attention(under(w, "attn."), z, heads)), eps)
        return layer_norm(w, "norm2", z + scaled("ls2", mlp(under(w, "mlp."), z)), eps)
    z = z + scaled("ls1", attention(under(w, "attn."), layer_norm(w, "norm1", z, eps), heads))
    return z + scaled("ls2", mlp(under(w, "mlp."), layer_norm(w, "norm2", z, eps)))


def transformer(w: Weights, z: np.ndarray, depth: int, heads: int, norm: str = "pre", eps: float = 1e-6) -> np.ndarray:
    """``depth`` blocks; where the weights hold fewer, they are used again."""
    stored = len({name.split(".")[1] for name in w if name.startswith("blocks.")})
    for i in range(depth):
        z = block(under(w, f"blocks.{i % stored}."), z, heads, norm, eps)
    return layer_norm(w, "norm", z, eps) if "norm.weight" in w else z


def sinusoids(length: int, width: int) -> np.ndarray:
    table = np.zeros((length, width))
    for position in range(length):
        for i in range(0, width, 2):
            angle = position / 10_000 ** (i / width)
            table[position, i] = math.sin(angle)
            table[position, i + 1] = math.cos(angle)
    return table


def vision(
    w: Weights,
    image: np.ndarray,
    places: np.ndarray,
    *,
    depth: int,
    heads: int,
    taps: tuple[int, ...] = (),
    eps: float = 1e-6,
) -> np.ndarray:
    """image (3 H W), places (h*w d) at its grid -> patches (h*w d), and once more for each tap."""
    kernel = w["patch_embed.proj.weight"]
    p = kernel.shape[-1]
    rows, columns = image.shape[1] // p, image.shape[2] // p
    tokens = np.stack(
        [
            (kernel * image[:, i * p : (i + 1) * p, j * p : (j + 1) * p]).sum((1, 2, 3)) + w["patch_embed.proj.bias"]
            for i in range(rows)
            for j in range(columns)
        ]
    )
    registers = w["reg_token"][0] if "reg_token" in w else np.zeros((0, tokens.shape[1]))
    z = np.concatenate([w["cls_token"][0] + w["pos_embed"][0, :1], registers, tokens + places])
    tapped = []
    plain = {"plain.weight": np.ones(z.shape[1]), "plain.bias": np.zeros(z.shape[1])}
    for i in range(depth):
        z = block(under(w, f"blocks.{i}."), z, heads, eps=eps)
        if i + 1 in taps:
            tapped.append(layer_norm(plain, "plain", z, 1e-5))
    return np.concatenate([layer_norm(w, "norm", z, eps), *tapped], axis=1)[1 + len(registers) :]


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).sum(-1, keepdims=True))


def fuse(
    w: Weights,
    z_v: np.ndarray,
    z_l: np.ndarray,
    *,
    variant: str,
    depths: tuple[int, int],
    heads: int,
    eps: float = 1e-6,
) -> tuple[np.ndarray, np.ndarray]:
    """Figure 3: z_v (n D), z_l (l D) -> z_v' (n D), e_s' (1 D)."""
    n, e_s = len(z_v), w["seed"][0]
    if variant == "vme":
        tokens = transformer(under(w, "joint."), np.concatenate([z_v, z_l, e_s]), sum(depths), heads, eps=eps)
        return tokens[:n], tokens[-1:]
    vl = under(w, "visual_linguistic.")
    ls = under(w, "linguistic_seed.") or vl  # one encoder in both roles
    tokens = transformer(vl, np.concatenate([z_v, z_l]), depths[0], heads, eps=eps)
    words = z_l if variant == "ime" else tokens[n:]
    return tokens[:n], transformer(ls, np.concatenate([words, e_s]), depths[1], heads, eps=eps)[-1:]


def classify(w: Weights, z_v: np.ndarray, e_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Patch logits (n) and the patches that were judged (n D)."""
    if "proj_patch.weight" in w:
        z_v, e_s = z_v @ w["proj_patch.weight"].T, e_s @ w["proj_seed.weight"].T
        return (z_v @ e_s.T)[:, 0], z_v
    return (z_v @ e_s.T)[:, 0] / math.sqrt(z_v.shape[1]), z_v


def enlarge(x: np.ndarray, align_corners: bool) -> np.ndarray:
    """x (h w c) -> (2h 2w c), bilinear."""

    def weights(side: int) -> np.ndarray:
        matrix = np.zeros((2 * side, side))
        for i in range(2 * side):
            at = i * (side - 1) / (2 * side - 1) if align_corners else min(max((i + 0.5) / 2 - 0.5, 0), side - 1)
            low = min(int(at), side - 1)
            high = min(low + 1, side - 1)
            matrix[i, low] += 1 - (at - low)
            matrix[i, high] += at - low
        return matrix

    return np.einsum("ih,jw,hwc->ijc", weights(x.shape[0]), weights(x.shape[1]), x)


def decode(
    w: Weights,
    beside: np.ndarray,
    judged: np.ndarray,
    logits: np.ndarray,
    grid: tuple[int, int],
    *,
    mask_by: str,
    slope: float,
    align_corners: bool,
) -> np.ndarray:
    """Logits (H W), each block in the paper's order: enlarge, project, LeakyReLU."""
    weight = logits if mask_by == "logit" else sigmoid(logits)
    x = np.concatenate([beside, judged * weight[:, None]], axis=1).reshape(*grid, -1)
    k = len({name.split(".")[1] for name in w if name.startswith("blocks.")})
    for i in range(k):
        x = linear(w, f"blocks.{i}.proj", enlarge(x, align_corners))
        x = np.where(x > 0, x, slope * x)
    return linear(w, "head", x)[..., 0]


def bce(logits: np.ndarray, target: np.ndarray) -> float:
    p = sigmoid(logits)
    return float(-(target * np.log(p) + (1 - target) * np.log(1 - p)).mean())


def loss(
    logits: np.ndarray,
    patch_logits: np.ndarray,
    mask: np.ndarray,
    grid: tuple[int, int],
    *,
    weight: float,
    share: float,
) -> float:
    """BCE(Y_m) + weight * BCE(y_p); a patch is foreground where more than ``share`` of its pixels are."""
    h, w = mask.shape[0] // grid[0], mask.shape[1] // grid[1]
    labels = [
        float(mask[i * h : (i + 1) * h, j * w : (j + 1) * w].mean() > share)
        for i in range(grid[0])
        for j in range(grid[1])
    ]
    return bce(logits, mask) + weight * bce(patch_logits, np.array(labels))
