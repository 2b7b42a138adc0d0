use dyrelu::dynamic_activation;

#[dynamic_activation(k = 1, share = "spatial", piece = |x, s, a| a * x + s, init(a = 1.0), neighbours(s = shift(9999999999, 0)))]
struct Foo;

fn main() {}
