use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", piece = [|x, a| a * x, |x, b| b * x], init(a = 1.0, b = 0.0), squash(b = "softmax"))]
struct Foo;

fn main() {}
