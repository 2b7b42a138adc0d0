use dyrelu::dynamic_activation;

#[dynamic_activation(
    k = 1, share = "spatial", init(a = 1.0),
    piece = |x, a| a * (exp(x) + exp_m1(x) + ln(x) + ln_1p(x) + sqrt(x) + sin(x) + cos(x) + tan(x) + tanh(x)
        + sigmoid(x) + softplus(x) + abs(x) + sign(x) + recip(x) + powi(x, 3) + max(x, a) + min(x, a) + relu(x)
        + clamp(x, -1.0, 1.0) + x.exp().ln().sqrt().powi(-2).clamp(a, 2.0).max(x))
)]
struct Foo;

fn main() {
    let _ = Foo::layer::<f64>(4);
}
