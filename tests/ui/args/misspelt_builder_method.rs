use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", temprature = 3.0)]
struct Foo;

fn main() {}
