use dyrelu::dynamic_activation;

#[dynamic_activation(k = 1, share = "spatial", piece = |x, t| if x > t { x } else { 0.0 }, init(t = 0.0))]
struct Foo;

fn main() {}
