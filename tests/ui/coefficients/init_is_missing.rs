use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", piece = |x, a| a * tanh(x))]
struct Foo;

fn main() {}
