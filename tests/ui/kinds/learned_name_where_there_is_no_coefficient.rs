use dyrelu::dynamic_activation;

#[dynamic_activation(k = 1, share = "spatial", piece = |x| max(x, 0.0), learned(a = 1.0))]
struct Foo;

fn main() {}
