use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", init(a = 1e999))]
struct Foo;

fn main() {}
