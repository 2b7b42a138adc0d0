"""The careful form as an ONNX graph, run by ONNX Runtime. It has no backward pass."""

from collections.abc import Sequence

import numpy as np
import onnxruntime
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from activations import Activation
from cases import parameters


class Graph:
    """Nodes and constants, with names that count up."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, value: np.ndarray) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def numbers(self, values: float | Sequence[float]) -> str:
        return self.constant(np.asarray(values, np.float32))

    def axes(self, *values: int) -> str:
        return self.constant(np.asarray(values, np.int64))

    def node(self, operation: str, *inputs: str, outputs: int = 1, **attributes: int) -> str | list[str]:
        """The name of the output, or the names of all if there are more."""
        names = [f"{operation}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operation, inputs, names, **attributes))
        return names if outputs > 1 else names[0]


def model(activation: Activation, tensors: dict[str, np.ndarray]) -> ModelProto:
    """y from x, for one shape."""
    graph = Graph()
    shape = tensors["x"].shape
    values = {name: graph.constant(value) for name, value in parameters(tensors).items()}

    pooled = graph.node("ReduceMean", "x", graph.axes(2, 3), keepdims=0)
    hidden = graph.node("Relu", graph.node("Gemm", pooled, values["fc1.weight"], values["fc1.bias"], transB=1))
    raw = graph.node("Gemm", hidden, values["fc2.weight"], values["fc2.bias"], transB=1)
    residuals = graph.node(
        "Sub", graph.node("Mul", graph.node("Sigmoid", raw), graph.numbers(2)), graph.numbers(1)
    )

    channels = 1 if activation.shares_channels else shape[1]
    length = activation.coefficients * activation.pieces
    residuals = graph.node("Reshape", residuals, graph.axes(shape[0], channels, length, 1, 1))
    init = np.reshape(activation.init, (length, 1, 1))
    lambdas = np.repeat(activation.lambdas, activation.pieces).reshape(length, 1, 1)
    sets = graph.node("Add", graph.node("Mul", residuals, graph.numbers(lambdas)), graph.numbers(init))
    coefficients = [
        graph.node("Squeeze", coefficient, graph.axes(2))
        for coefficient in graph.node("Split", sets, outputs=length, axis=2, num_outputs=length)
    ]

    slopes, intercepts = coefficients[: activation.pieces], coefficients[activation.pieces :]
    lines = [graph.node("Add", graph.node("Mul", "x", a), b) for a, b in zip(slopes, intercepts, strict=True)]
    y = graph.node("Max", *lines)
    if activation.has_attention:
        y = graph.node("Mul", y, factors(graph, values, shape))
    graph.node("Identity", y)
    graph.nodes[-1].output[0] = "y"

    interface = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    onnx_graph = helper.make_graph(graph.nodes, activation.name, interface[:1], interface[1:], graph.constants)
    return helper.make_model(onnx_graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def factors(graph: Graph, values: dict[str, str], shape: Sequence[int]) -> str:
    """The attention, `[N, 1, H, W]`."""
    samples, _, height, width = shape
    scores = graph.node("Conv", "x", values["attention.weight"], values["attention.bias"])
    scores = graph.node("Reshape", scores, graph.axes(samples, height * width))
    softmax = graph.node("Softmax", graph.node("Div", scores, graph.numbers(10)), axis=1)
    scaled = graph.node("Mul", softmax, graph.numbers(height * width / 3))
    limited = graph.node("Min", scaled, graph.numbers(1))
    return graph.node("Reshape", limited, graph.axes(samples, 1, height, width))


class OnnxContender:
    """A session with input and output bound to arrays, so that no call allocates or copies them."""

    def __init__(self, activation: Activation, tensors: dict[str, np.ndarray], threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads wait for work only within a run: the contenders after this one have the processor for themselves.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        graph = model(activation, tensors).SerializeToString()
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.y = onnxruntime.OrtValue.ortvalue_from_numpy(np.empty_like(tensors["x"]))
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(tensors["x"]))
        self.binding.bind_ortvalue_output("y", self.y)

    def forward(self) -> None:
        self.session.run_with_iobinding(self.binding)

    def outputs(self) -> dict[str, np.ndarray]:
        self.forward()
        return {"y": self.y.numpy()}
