"""A stage of your own: a forward function and one derivative rule, then drawn, compared and
differentiated twice."""

import numpy as np

from tinygrad_lstm import Tensor, compare, gradcheck, gradients, hessian, stage
from tinygrad_lstm.viz import draw


@stage(
    analytic=True
)  # forward is right for complex numbers too, so gradcheck can use the complex step
def isru(x, alpha=1.0):  # the inverse square root unit
    return x / np.sqrt(1 + alpha * x**2)


# one for each argument without a default: what the gradient g of the output y sends back to x
@isru.rule
def isru_x(g, y, x, alpha=1.0):
    return g * (1 + alpha * x**2) ** -1.5


x = Tensor([-1.0, 0.0, 2.0], requires_grad=True, name="x")
y = isru(x, alpha=4.0).named("y")
loss = (x * y).sum().named("loss")
print(loss.tape)

g = gradients(loss)
draw(loss, "own_stage.svg", gradients=g, title="A stage of your own")

slope = 1 / np.sqrt(1 + 4 * x.numpy() ** 2) ** 3  # by hand
print(compare(g, {"x": y.numpy() + x.numpy() * slope, "x via y": x.numpy() * slope}))
print(
    "the rule, by numeric differentiation:",
    "right" if gradcheck(lambda x: isru(x, alpha=4.0), x) else "wrong",
)

# The rule is made of stages itself, so it can be differentiated as well.
second = np.diag(hessian(lambda x: isru(x, alpha=4.0).sum())(x.numpy()))
by_hand = -12 * x.numpy() / (1 + 4 * x.numpy() ** 2) ** 2.5
print("second derivative:", "right" if np.allclose(second, by_hand) else "wrong")
