use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", piece = |x, a| { const C: f64 = 2.0; C * x * a }, init(a = 1.0))]
struct Foo;

fn main() {}
