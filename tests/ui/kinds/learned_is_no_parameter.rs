use dyrelu::dynamic_activation;

#[dynamic_activation(k = 1, share = "spatial", piece = |x, a| a * x + q * q, init(a = 1.0), learned(q = 1.0))]
struct Foo;

fn main() {}
