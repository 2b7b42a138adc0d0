use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", learned(a = shared()))]
struct Foo;

fn main() {}
