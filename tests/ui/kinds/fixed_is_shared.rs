use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", fixed(b = shared(1.0)))]
struct Foo;

fn main() {}
