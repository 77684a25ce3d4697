"""What must not change in a live model when it is explained."""


def state(model):
    """Return everything that a module tree holds, by identity and by version."""
    objects = {
        (path, key): (id(value), sorted((str(k), id(v)) for k, v in value.items()) if isinstance(value, dict) else None)
        for path, module in model.named_modules()
        for key, value in vars(module).items()
    }
    flags = {path: (m.training, getattr(m, "inplace", None)) for path, m in model.named_modules()}
    tensors = [*model.named_parameters(), *model.named_buffers()]
    identity = [(n, id(t), t.data_ptr(), t._version, t.requires_grad, id(t.grad), t.grad_fn) for n, t in tensors]
    return objects, flags, identity, list(model.state_dict())
