"""APGD, FAB and Square written out from their papers, as the official code runs them.

Independent of torchattacks, and as plain as they come: one loop each, no batching tricks.
"""

import math

import torch
from torch.nn import functional as F

THRESHOLD = 0.75  # ρ of APGD, and its momentum


def correct(module, X, y):
    with torch.no_grad():
        return module(X).argmax(1) == y


def targeted_dlr(logits, y, target):
    """−(z_y − z_t) / (z_(1) − (z_(3) + z_(4)) / 2), per sample."""
    top = logits.sort(dim=1).values
    rows = torch.arange(len(y))
    scale = top[:, -1] - 0.5 * (top[:, -3] + top[:, -4]) + 1e-12
    return -(logits[rows, y] - logits[rows, target]) / scale


def apgd(module, X, y, eps, steps, loss, generator):
    """Croce & Hein 2020, algorithm 1, L-inf. Adversarial examples where found, else `X`."""

    def value_and_gradient(point):
        point = point.detach().requires_grad_(True)
        logits = module(point)
        values = loss(logits)
        (gradient,) = torch.autograd.grad(values.sum(), point)
        return values.detach(), gradient, logits.detach().argmax(1) != y

    def project(point):
        return torch.minimum(torch.maximum(point, X - eps), X + eps).clamp(0, 1)

    def rows(mask):
        return mask.view(-1, *[1] * (X.dim() - 1))

    noise = 2 * torch.rand(X.shape, generator=generator) - 1
    now = project(X + eps * noise / noise.flatten(1).abs().amax(1).view(-1, 1, 1, 1))
    found = X.clone()
    value, gradient, fooled = value_and_gradient(now)
    found[fooled] = now[fooled]
    everywhere_fooled = fooled.clone()
    best, best_value, best_gradient = now.clone(), value.clone(), gradient.clone()
    step = torch.full((len(X),), 2 * eps)
    before = now.clone()
    window, shortest = max(int(0.22 * steps), 1), max(int(0.06 * steps), 1)
    shrink, since = max(int(0.03 * steps), 1), 0
    values, best_at_check = [value], best_value.clone()
    reduced = torch.ones(len(X), dtype=torch.bool)
    for i in range(steps):
        ahead = project(now + rows(step) * gradient.sign())
        weight = THRESHOLD if i > 0 else 1.0
        ahead = project(now + weight * (ahead - now) + (1 - weight) * (now - before))
        before, now = now, ahead
        value, gradient, fooled = value_and_gradient(now)
        found[fooled] = now[fooled]
        everywhere_fooled |= fooled
        values.append(value)
        better = value > best_value
        best[better], best_gradient[better] = now[better], gradient[better]
        best_value = torch.where(better, value, best_value)
        since += 1
        if since == window:
            recent = torch.stack(values[-window - 1 :])
            rises = (recent[1:] > recent[:-1]).sum(0)
            stuck = (rises <= THRESHOLD * window) | (~reduced & (best_at_check >= best_value))
            reduced, best_at_check = stuck.clone(), best_value.clone()
            step = torch.where(stuck, step / 2, step)
            now, gradient = now.clone(), gradient.clone()
            now[stuck], gradient[stuck] = best[stuck], best_gradient[stuck]
            since, window = 0, max(window - shrink, shortest)
    return found


def apgd_ce(module, X, y, eps, steps, generator):
    def loss(logits):
        return F.cross_entropy(logits, y, reduction="none")

    return apgd(module, X, y, eps, steps, loss, generator)


def apgd_t(module, X, y, eps, steps, n_targets, generator):
    """One run for each of the most likely other classes, on what the runs before left."""
    found = X.clone()
    with torch.no_grad():
        ranked = module(X).sort(dim=1).indices
    for k in range(2, n_targets + 2):
        left = correct(module, found, y).nonzero()[:, 0]
        if len(left) == 0:
            break
        target = ranked[left, -k]

        def loss(logits, labels=y[left], target=target):
            return targeted_dlr(logits, labels, target)

        found[left] = apgd(module, X[left], y[left], eps, steps, loss, generator)
    return found


def square(module, X, y, eps, n_queries, generator):
    """Andriushchenko et al. 2020, algorithms 1 and 2, L-inf; the schedule for 10,000 queries."""
    _, channels, height, width = X.shape

    def signs(*shape):
        return 2.0 * torch.randint(2, shape, generator=generator) - 1

    def margin(points, labels):
        with torch.no_grad():
            logits = module(points)
        rival = logits.scatter(1, labels[:, None], -math.inf).amax(1)
        return logits.gather(1, labels[:, None])[:, 0] - rival

    best = (X + eps * signs(len(X), channels, 1, width)).clamp(0, 1)
    lowest = margin(best, y)
    for query in range(1, n_queries):
        left = (lowest > 0).nonzero()[:, 0]
        if len(left) == 0:
            break
        halvings = sum(query > limit for limit in (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000))
        side = max(round(math.sqrt(0.8 / 2**halvings * height * width)), 1)
        # The published code never puts a window at the last row or column.
        top = int(torch.randint(max(height - side, 1), (1,), generator=generator))
        start = int(torch.randint(max(width - side, 1), (1,), generator=generator))
        delta = torch.zeros_like(X[:1])
        delta[:, :, top : top + side, start : start + side] = 2 * eps * signs(1, channels, 1, 1)
        moved = best[left] + delta
        moved = torch.minimum(torch.maximum(moved, X[left] - eps), X[left] + eps).clamp(0, 1)
        value = margin(moved, y[left])
        better = value < lowest[left]
        best[left[better]], lowest[left[better]] = moved[better], value[better]
    return best


def nearest_on_plane(points, weight, offset):
    """L-inf nearest points of the box [0, 1] with weight · x = offset, or as near as it allows.

    Moving every coordinate by r against the sign of the weight, within the box, lowers weight · x
    steadily in r: bisect for the r that reaches the plane.
    """
    sign = torch.where((weight * points).sum(1) >= offset, 1.0, -1.0)
    weight, offset = weight * sign[:, None], offset * sign
    low, high = torch.zeros(len(points)), torch.ones(len(points))

    def moved(radius):
        return (points - radius[:, None] * weight.sign()).clamp(0, 1)

    for _ in range(40):
        middle = (low + high) / 2
        beyond = (weight * moved(middle)).sum(1) <= offset
        low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
    return moved(high)


def fab_t(module, X, y, eps, steps, n_targets):
    """Croce & Hein 2020, "Minimally distorted adversarial examples", targeted, L-inf."""
    alpha_max, eta, beta = 0.1, 1.05, 0.9
    found = X.clone()
    with torch.no_grad():
        ranked = module(X).sort(dim=1).indices
    for k in range(2, n_targets + 2):
        left = correct(module, found, y).nonzero()[:, 0]
        if len(left) == 0:
            break
        origin, label, target = X[left].flatten(1), y[left], ranked[left, -k]
        rows = torch.arange(len(left))
        point, best = origin.clone(), torch.full((len(left),), math.inf)
        for _ in range(steps):
            images = point.view(-1, *X.shape[1:]).detach().requires_grad_(True)
            logits = module(images)
            gap = logits[rows, target] - logits[rows, label]
            (weight,) = torch.autograd.grad(gap.sum(), images)
            weight = weight.flatten(1)
            offset = -gap.detach() + (weight * point).sum(1)
            to_plane = nearest_on_plane(point, weight, offset) - point
            from_origin = nearest_on_plane(origin, weight, offset) - origin
            size, other = to_plane.abs().amax(1), from_origin.abs().amax(1)
            alpha = (size / (size + other).clamp_min(1e-12)).clamp(0, alpha_max)[:, None]
            point = (1 - alpha) * (point + eta * to_plane) + alpha * (origin + eta * from_origin)
            point = point.clamp(0, 1)
            fooled = ~correct(module, point.view(-1, *X.shape[1:]), label)
            size = (point - origin).abs().amax(1)
            better = fooled & (size < best)
            best = torch.where(better, size, best)
            kept = better & (size <= eps)
            found[left[kept]] = point[kept].view(-1, *X.shape[1:])
            point = torch.where(fooled[:, None], origin + beta * (point - origin), point)
    return found
