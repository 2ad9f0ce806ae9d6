"""A fork: a value that is read more than once. Backward adds what its branches send back."""

from tinygrad_lstm import Tensor, gradients

x = Tensor(3.0, requires_grad=True, name="x")
y = (x * x).named("y")  # one stage that reads x twice: x is a fork
z = (y + y).named("z")  # y is a fork too

print(z.tape)

g = gradients(z)
for name in ("y", "x"):
    parts = [f"{b.gradient} (argument {b.argument} of {b.stage.name})" for b in g.branches(name)]
    print(f"dz/d{name} = {' + '.join(parts)} = {g[name]}")

z.backward()  # the usual way: the same number, kept in x.grad
print("x.grad =", x.grad)
