use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", init(a = ))]
struct Foo;

fn main() {}
