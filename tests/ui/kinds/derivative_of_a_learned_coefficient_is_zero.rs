use dyrelu::dynamic_activation;

#[dynamic_activation(k = 1, share = "spatial", piece = |x, a, t| a * x + sign(t), init(a = 1.0), learned(t = 0.0))]
struct Foo;

fn main() {}
