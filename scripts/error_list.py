"""The errors of ccgpu, in the order of the tree that stands at the top of `ccgpu.errors`."""

from ccgpu import errors


def listed_errors() -> list[type[errors.CcgpuError]]:
    """All but the base of all."""
    tree = (errors.__doc__ or "").split()
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    ours = [one for one in classes if issubclass(one, errors.CcgpuError)]
    ours.remove(errors.CcgpuError)
    return sorted(ours, key=lambda one: tree.index(one.__name__))
