use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", lambda(b = [1.0, 0.0, 0.0]))]
struct Foo;

fn main() {}
