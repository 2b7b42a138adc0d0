//! From the syntax of a piece to its symbolic form: the only file that rejects what a user writes in a body.
//!
//! Every function reports what it rejects, at the smallest token that shows the mistake, and goes on with the
//! parts beside it. `None` means that a mistake has been reported.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{
    Attribute, BinOp, Block, Expr, ExprBinary, ExprCall, ExprIf, ExprLit, ExprMethodCall, ExprPath,
    ExprUnary, Item, Lit, Local, Stmt, UnOp,
};

use super::Named;
use super::hints::advice_for;
use super::parameters::{Parameters, Signature, identifiers, plain_name};
use crate::diagnostics::{Diagnostics, count_of, did_you_mean, list_of};
use crate::kinds::Kinds;
use crate::number::number;
use crate::symbolic::{
    Comparison, CondId, ExprId, Expressions, FUNCTIONS, Form, Function, Node, find_function,
};

/// A body in symbolic form.
pub(super) struct Lowered {
    pub(super) value: ExprId,
    /// The names that `let` gave to nodes, the first one for each node.
    pub(super) names: Vec<Named>,
}

/// A closure, and what its parameters are.
pub(super) struct Source<'a> {
    pub(super) signature: &'a Signature,
    pub(super) parameters: &'a Parameters,
    pub(super) kinds: &'a Kinds,
    /// Whether it is the only one, which must depend on its input.
    pub(super) alone: bool,
}

/// Lowers the body of a closure to nodes of `expressions`. Its constants are parameters still.
pub(super) fn lower(
    source: &Source<'_>,
    body: &Expr,
    expressions: &mut Expressions,
    diagnostics: &Diagnostics,
) -> Option<Lowered> {
    let before = diagnostics.count();
    let mut lowering = Lowering::new(source, expressions, diagnostics);
    let value = lowering.expr(body);
    // A body with mistakes may use in its wrong parts what seems to be unused.
    if diagnostics.count() == before {
        lowering.check_uses(source, value?, body);
    }
    let names = lowering.names;
    let complete = diagnostics.count() == before && source.signature.rejected.is_empty();
    value.filter(|_| complete).map(|value| Lowered { value, names })
}

/// What may stand in a piece, for messages.
const SUPPORTED: &str = "a piece consists of numbers, parameters, `+`, `-`, `*`, `/`, `let`, `if … else` and functions such as `tanh(x)`";

/// The largest |n| in `powi(x, n)`.
const MAX_EXPONENT: i32 = 64;

struct Lowering<'a> {
    signature: &'a Signature,
    diagnostics: &'a Diagnostics,
    expressions: &'a mut Expressions,
    /// The variables in scope; later ones shadow earlier ones.
    scope: Vec<Variable>,
    names: Vec<Named>,
}

/// A parameter or a `let`. Without a value, its definition is wrong and its uses are not to blame.
struct Variable {
    name: String,
    value: Option<ExprId>,
}

impl Variable {
    fn new(name: &Ident, value: Option<ExprId>) -> Self {
        Self {
            name: name.unraw().to_string(),
            value,
        }
    }
}

impl Source<'_> {
    /// The position of the closure's parameter `name`, its `index`-th, in the whole formula.
    fn position(&self, index: usize, name: &Ident) -> Option<usize> {
        if index == 0 {
            Some(0)
        } else {
            self.parameters.position(name)
        }
    }
}

impl<'a> Lowering<'a> {
    fn new(source: &Source<'a>, expressions: &'a mut Expressions, diagnostics: &'a Diagnostics) -> Self {
        let signature = source.signature;
        // What is no parameter but should be is reported once, where an argument names it.
        let undeclared = source.parameters.undeclared_names();
        let mut scope: Vec<Variable> = signature
            .rejected
            .iter()
            .chain(undeclared)
            .map(|name| Variable::new(name, None))
            .collect();
        for (index, name) in signature.names.iter().enumerate() {
            let position = source.position(index, name);
            let value = position.map(|position| expressions.parameter(position));
            scope.push(Variable::new(name, value));
        }
        Self {
            signature,
            diagnostics,
            expressions,
            scope,
            names: Vec::new(),
        }
    }

    /// Reports a mistake at `tokens`.
    fn reject<T>(&self, tokens: impl ToTokens, message: impl std::fmt::Display) -> Option<T> {
        self.diagnostics.error_at(tokens, message);
        None
    }

    fn check_uses(&self, source: &Source<'_>, value: ExprId, body: &Expr) {
        let used: Vec<Node> = self
            .expressions
            .reachable(&[value])
            .into_iter()
            .map(|id| self.expressions.node(id))
            .collect();
        for (index, name) in self.signature.names.iter().enumerate() {
            let unraw = name.unraw();
            let position = source.position(index, name);
            if position.is_none_or(|position| used.contains(&Node::Parameter(position))) {
                continue;
            }
            if index > 0 {
                let noun = source.kinds.kind(name).noun();
                self.diagnostics.error(
                    name.span(),
                    format!("{noun} `{unraw}` is never used in the piece; remove it or use it"),
                );
            } else if source.alone {
                self.diagnostics
                    .error_at(body, format!("the piece does not depend on its input `{unraw}`"));
            }
        }
    }

    // -------------------------------------------------------------------------------------------- Numbers

    fn expr(&mut self, expr: &Expr) -> Option<ExprId> {
        self.check_attributes(attributes_of(expr));
        match expr {
            Expr::Paren(paren) => self.expr(&paren.expr),
            Expr::Group(group) => self.expr(&group.expr),
            Expr::Lit(literal) => self.literal(literal),
            Expr::Path(path) => self.variable(path),
            Expr::Unary(unary) => self.unary(unary),
            Expr::Binary(binary) if is_condition(&binary.op) => {
                self.condition(expr);
                self.reject(binary.op, NO_CONDITION)
            }
            Expr::Binary(binary) => self.binary(binary),
            Expr::Call(call) => self.call(call),
            Expr::MethodCall(call) => self.method_call(call),
            Expr::If(expr) => self.if_else(expr),
            Expr::Block(block) if block.label.is_none() => self.block(&block.block),
            other => self.unsupported(other),
        }
    }

    fn check_attributes(&self, attributes: &[Attribute]) {
        for attribute in attributes {
            self.diagnostics
                .error_at(attribute, "attributes are not supported in a piece");
        }
    }

    fn literal(&mut self, literal: &ExprLit) -> Option<ExprId> {
        match number(&literal.lit) {
            Ok(value) => Some(self.expressions.constant(value)),
            Err(message) => self.reject(literal, message),
        }
    }

    fn variable(&mut self, path: &ExprPath) -> Option<ExprId> {
        let Some(name) = path.path.get_ident() else {
            return self.reject(
                path,
                "paths are not supported in a piece; write a constant as a number",
            );
        };
        let text = name.unraw().to_string();
        match self.scope.iter().rev().find(|variable| variable.name == text) {
            Some(variable) => variable.value,
            None => self.unknown_variable(name, &text),
        }
    }

    fn unknown_variable(&self, name: &Ident, text: &str) -> Option<ExprId> {
        if find_function(text).is_some() {
            return self.reject(name, format!("`{text}` is a function; call it: `{text}(x)`"));
        }
        let parameters = list_of(self.signature.names.iter().map(IdentExt::unraw));
        let suggestion = did_you_mean(text, self.scope.iter().map(|variable| variable.name.as_str()))
            .map_or_else(String::new, |similar| format!(" did you mean `{similar}`?"));
        self.reject(
            name,
            format!("unknown variable `{text}` in piece;{suggestion} its parameters are {parameters}"),
        )
    }

    fn unary(&mut self, unary: &ExprUnary) -> Option<ExprId> {
        match unary.op {
            UnOp::Neg(_) => {
                let operand = self.expr(&unary.expr)?;
                Some(self.expressions.neg(operand))
            }
            UnOp::Not(_) => self.reject(unary.op, NO_CONDITION),
            _ => {
                self.expr(&unary.expr);
                self.reject(
                    unary.op,
                    "a piece has no `*` before a value; a power is written `x.powi(2)`, a product `a * x`",
                )
            }
        }
    }

    /// Operators of equal precedence nest to the left, so a long sum is a deep tree: walk it in a loop.
    fn binary(&mut self, outermost: &ExprBinary) -> Option<ExprId> {
        let mut chain = vec![outermost];
        let mut innermost = &*outermost.left;
        while let Expr::Binary(binary) = innermost {
            self.check_attributes(&binary.attrs);
            chain.push(binary);
            innermost = &binary.left;
        }
        let mut value = self.expr(innermost);
        for binary in chain.into_iter().rev() {
            let right = self.expr(&binary.right);
            value = self.arithmetic(value, &binary.op, right);
        }
        value
    }

    fn arithmetic(
        &mut self,
        left: Option<ExprId>,
        operator: &BinOp,
        right: Option<ExprId>,
    ) -> Option<ExprId> {
        let apply: fn(&mut Expressions, ExprId, ExprId) -> ExprId = match operator {
            BinOp::Add(_) => Expressions::add,
            BinOp::Sub(_) => Expressions::sub,
            BinOp::Mul(_) => Expressions::mul,
            BinOp::Div(_) => Expressions::div,
            _ => return self.reject(operator, no_arithmetic(operator)),
        };
        Some(apply(self.expressions, left?, right?))
    }

    fn if_else(&mut self, expr: &ExprIf) -> Option<ExprId> {
        let condition = self.condition(&expr.cond);
        let if_true = self.block(&expr.then_branch);
        let Some((_, else_branch)) = &expr.else_branch else {
            return self.reject(
                expr.if_token,
                "an `if` in a piece needs an `else`: `if x > 0.0 { x } else { a * x }`",
            );
        };
        let if_false = self.expr(else_branch);
        Some(self.expressions.select(condition?, if_true?, if_false?))
    }

    // ----------------------------------------------------------------------------------------- Conditions

    fn condition(&mut self, expr: &Expr) -> Option<CondId> {
        self.check_attributes(attributes_of(expr));
        match expr {
            Expr::Paren(paren) => self.condition(&paren.expr),
            Expr::Group(group) => self.condition(&group.expr),
            Expr::Unary(ExprUnary {
                op: UnOp::Not(_),
                expr,
                ..
            }) => {
                let condition = self.condition(expr)?;
                Some(self.expressions.not(condition))
            }
            Expr::Binary(binary) => match (comparison(&binary.op), &binary.op) {
                (Some(comparison), _) => {
                    let (left, right) = (self.expr(&binary.left), self.expr(&binary.right));
                    Some(self.expressions.compare(comparison, left?, right?))
                }
                (None, BinOp::And(_) | BinOp::Or(_)) => self.logic(binary),
                (None, operator) => self.reject(operator, NO_COMPARISON),
            },
            Expr::Let(pattern) => {
                let rejected = identifiers(pattern.pat.to_token_stream());
                self.scope
                    .extend(rejected.iter().map(|name| Variable::new(name, None)));
                self.reject(pattern.let_token, NO_COMPARISON)
            }
            // A variable that was meant to be a condition has been reported where it got its value.
            Expr::Path(path) if self.is_spoilt(path) => None,
            other => self.reject(other, NO_COMPARISON),
        }
    }

    /// Whether the path is a variable whose definition is wrong.
    fn is_spoilt(&self, path: &ExprPath) -> bool {
        let name = path.path.get_ident().map(|name| name.unraw().to_string());
        let variable = self
            .scope
            .iter()
            .rev()
            .find(|variable| Some(&variable.name) == name.as_ref());
        variable.is_some_and(|variable| variable.value.is_none())
    }

    /// `&&` and `||`, in a loop for the same reason as in [`binary`](Self::binary).
    fn logic(&mut self, outermost: &ExprBinary) -> Option<CondId> {
        let mut chain = vec![outermost];
        let mut innermost = &*outermost.left;
        while let Expr::Binary(
            binary @ ExprBinary {
                op: BinOp::And(_) | BinOp::Or(_),
                ..
            },
        ) = innermost
        {
            chain.push(binary);
            innermost = &binary.left;
        }
        let mut value = self.condition(innermost);
        for binary in chain.into_iter().rev() {
            let right = self.condition(&binary.right);
            value = value.zip(right).map(|(left, right)| match binary.op {
                BinOp::And(_) => self.expressions.and(left, right),
                _ => self.expressions.or(left, right),
            });
        }
        value
    }

    // --------------------------------------------------------------------------------------------- Blocks

    /// `{ let name = value; … value }`. Its variables end with it.
    fn block(&mut self, block: &Block) -> Option<ExprId> {
        let outer = self.scope.len();
        let value = match block.stmts.split_last() {
            None => self.reject(block, "expected an expression in this block"),
            Some((last, before)) => {
                for statement in before {
                    self.statement(statement);
                }
                match before.last() {
                    // `if … { … } else { … } * a`, which has been reported at the `if`.
                    Some(Stmt::Expr(_, None)) if begins_with_star(last) => None,
                    _ => self.last_statement(last),
                }
            }
        };
        self.scope.truncate(outer);
        value
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Local(local) => self.local(local),
            Stmt::Expr(expr, _) if is_assignment(expr) => {
                self.spoil(statement);
                self.expr(expr);
            }
            Stmt::Expr(_, None) => self.diagnostics.error_at(
                statement,
                format!("{ONLY_LET}; put what is a part of that expression into parentheses"),
            ),
            other => {
                self.spoil(other);
                self.diagnostics.error_at(other, ONLY_LET);
            }
        }
    }

    /// The names that a statement which is a mistake may have meant to define: their uses are not to blame.
    fn spoil(&mut self, statement: &Stmt) {
        let names = match statement {
            Stmt::Expr(Expr::Assign(assign), _) => identifiers(assign.left.to_token_stream()),
            Stmt::Expr(Expr::Binary(binary), _) => identifiers(binary.left.to_token_stream()),
            Stmt::Item(Item::Const(item)) => vec![item.ident.clone()],
            Stmt::Item(Item::Static(item)) => vec![item.ident.clone()],
            _ => Vec::new(),
        };
        self.scope
            .extend(names.iter().map(|name| Variable::new(name, None)));
    }

    fn last_statement(&mut self, statement: &Stmt) -> Option<ExprId> {
        match statement {
            Stmt::Expr(expr, None) => self.expr(expr),
            Stmt::Expr(expr, Some(semicolon)) => {
                self.expr(expr)?;
                self.reject(semicolon, "a block ends with an expression; remove this `;`")
            }
            Stmt::Local(local) => {
                self.local(local);
                self.reject(
                    local.semi_token,
                    "a block ends with an expression; add one after this `;`",
                )
            }
            Stmt::Macro(statement) => self.reject(
                &statement.mac.path,
                format!("macros are not supported; {SUPPORTED}"),
            ),
            Stmt::Item(item) => self.reject(item, format!("items are not supported; {SUPPORTED}")),
        }
    }

    fn local(&mut self, local: &Local) {
        self.check_attributes(&local.attrs);
        let value = match &local.init {
            Some(init) => {
                if let Some((otherwise, _)) = &init.diverge {
                    self.diagnostics
                        .error_at(otherwise, "expected `;`: a `let` in a piece has no `else`");
                }
                self.expr(&init.expr)
            }
            None => self.reject(local.semi_token, "expected a value: `let name = …;`"),
        };
        let Some(name) = plain_name(&local.pat, self.diagnostics) else {
            let rejected = identifiers(local.pat.to_token_stream());
            self.scope
                .extend(rejected.iter().map(|name| Variable::new(name, None)));
            return;
        };
        self.scope.push(Variable::new(&name, value));
        if let Some(value) = value
            && !self.names.iter().any(|named| named.node == value)
        {
            self.names.push(Named { node: value, name });
        }
    }

    // ------------------------------------------------------------------------------------------ Functions

    fn call(&mut self, call: &ExprCall) -> Option<ExprId> {
        let name = match visible(&call.func) {
            Expr::Path(path) => path.path.get_ident(),
            _ => None,
        };
        let Some(name) = name else {
            return self.reject(&call.func, "expected a function such as `tanh(x)`");
        };
        self.apply(name, &call.args.iter().collect::<Vec<_>>())
    }

    fn method_call(&mut self, call: &ExprMethodCall) -> Option<ExprId> {
        if let Some(turbofish) = &call.turbofish {
            return self.reject(turbofish, "functions of a piece take no type arguments");
        }
        let mut arguments = vec![&*call.receiver];
        arguments.extend(&call.args);
        self.apply(&call.method, &arguments)
    }

    /// `name(arguments)`, or `arguments[0].name(arguments[1..])`.
    fn apply(&mut self, name: &Ident, arguments: &[&Expr]) -> Option<ExprId> {
        let text = name.unraw().to_string();
        let Some(function) = find_function(&text) else {
            self.visit(arguments);
            return self.reject(name, self.unknown_function(&text));
        };
        if arguments.len() != function.arity() {
            self.visit(arguments);
            let (expected, found) = (count_of(function.arity(), "argument"), arguments.len());
            let usage = usage(function);
            return self.reject(name, format!("`{text}` takes {expected}, found {found}: {usage}"));
        }
        if let (Form::Power, [base, exponent]) = (&function.form, arguments) {
            let (base, exponent) = (self.expr(base), self.exponent(exponent));
            return Some(self.expressions.power(base?, exponent?));
        }
        // Every argument is lowered before the first mistake ends the call.
        let values: Vec<Option<ExprId>> = arguments.iter().map(|argument| self.expr(argument)).collect();
        let values: Option<Vec<ExprId>> = values.into_iter().collect();
        Some(self.expressions.apply(function, &values?))
    }

    /// Looks for mistakes in the arguments of a call that is itself a mistake.
    fn visit(&mut self, arguments: &[&Expr]) {
        for argument in arguments {
            self.expr(argument);
        }
    }

    fn unknown_function(&self, name: &str) -> String {
        if self.scope.iter().any(|variable| variable.name == name) {
            return format!("`{name}` is a number, not a function; to multiply write `{name} * (…)`");
        }
        let names = || FUNCTIONS.iter().map(|function| function.name);
        let advice = advice_for(name).map(str::to_owned);
        let similar = || did_you_mean(name, names()).map(|similar| format!("did you mean `{similar}`?"));
        let advice = advice
            .or_else(similar)
            .unwrap_or_else(|| format!("supported functions: {}", list_of(names())));
        format!("unknown function `{name}` in piece; {advice}")
    }

    /// The second argument of `powi`: an integer, which is part of the function and has no derivative.
    fn exponent(&self, expr: &Expr) -> Option<i32> {
        let (sign, literal) = match expr {
            Expr::Group(group) => return self.exponent(&group.expr),
            Expr::Unary(ExprUnary {
                op: UnOp::Neg(_),
                expr,
                ..
            }) => (-1, visible(expr)),
            other => (1, other),
        };
        let Expr::Lit(ExprLit {
            lit: Lit::Int(literal),
            ..
        }) = literal
        else {
            return self.reject(
                expr,
                "the exponent of `powi` is an integer such as in `x.powi(2)`",
            );
        };
        match literal.base10_parse::<i32>() {
            Ok(exponent) if exponent <= MAX_EXPONENT && literal.suffix().is_empty() => Some(sign * exponent),
            _ => {
                let digits = literal.to_string();
                let range = format!("-{MAX_EXPONENT} and {MAX_EXPONENT}");
                self.reject(
                    expr,
                    format!("the exponent of `powi` is an integer between {range}, found `{digits}`"),
                )
            }
        }
    }

    // -------------------------------------------------------------------------------------- Everything else

    /// Reports an expression that a piece does not have, at the token that makes it one.
    fn unsupported(&mut self, expr: &Expr) -> Option<ExprId> {
        let reject = |tokens: &dyn ToTokens, what: &str| {
            self.diagnostics
                .error_at(tokens, format!("{what} not supported; {SUPPORTED}"));
        };
        match expr {
            Expr::Macro(expr) => reject(&expr.mac.path, "macros are"),
            Expr::Cast(cast) => {
                let message = "casts are not needed: every value has the element type of the layer";
                self.diagnostics.error_at(cast.as_token, message);
                self.expr(&cast.expr);
            }
            Expr::Reference(reference) => {
                self.diagnostics
                    .error_at(reference.and_token, "references are not needed; remove this `&`");
                self.expr(&reference.expr);
            }
            Expr::Assign(assign) => self.diagnostics.error_at(assign.eq_token, NO_ASSIGNMENT),
            Expr::Return(expr) => {
                let message = "`return` is not supported in a piece; its last expression is its value";
                self.diagnostics.error_at(expr.return_token, message);
            }
            Expr::Match(expr) => {
                self.diagnostics.error_at(
                    expr.match_token,
                    "`match` is not supported in a piece; use `if … else`",
                );
            }
            Expr::While(expr) => reject(&expr.while_token, "loops are"),
            Expr::ForLoop(expr) => reject(&expr.for_token, "loops are"),
            Expr::Loop(expr) => reject(&expr.loop_token, "loops are"),
            Expr::Closure(expr) => reject(&expr.inputs_begin, "closures inside a piece are"),
            Expr::Index(expr) => {
                let message = format!("indices are not supported; {SUPPORTED}");
                self.diagnostics.error(expr.bracket_token.span.join(), message);
            }
            Expr::Field(expr) => reject(&expr.member, "fields are"),
            Expr::Range(expr) => reject(&expr.limits, "ranges are"),
            Expr::Try(expr) => reject(&expr.question_token, "the operator `?` is"),
            Expr::Array(_) | Expr::Repeat(_) => reject(expr, "arrays are"),
            Expr::Tuple(_) => reject(expr, "tuples are"),
            Expr::Struct(expr) => reject(&expr.path, "structs are"),
            Expr::Let(expr) => reject(&expr.let_token, "patterns are"),
            _ => reject(expr, "this expression is"),
        }
        None
    }
}

/// The arithmetic operators, for messages.
const OPERATORS: &str = "`+`, `-`, `*`, `/`";

const NO_ASSIGNMENT: &str = "assignments are not supported in a piece; use `let name = …;`";

const ONLY_LET: &str = "only `let name = …;` may stand before the last expression of a block";

const NO_CONDITION: &str = "a condition can only stand in an `if`: `if x > 0.0 { x } else { a * x }`";

const NO_COMPARISON: &str = "expected a comparison such as `x > 0.0`";

fn comparison(operator: &BinOp) -> Option<Comparison> {
    Some(match operator {
        BinOp::Lt(_) => Comparison::Lt,
        BinOp::Le(_) => Comparison::Le,
        BinOp::Gt(_) => Comparison::Gt,
        BinOp::Ge(_) => Comparison::Ge,
        BinOp::Eq(_) => Comparison::Eq,
        BinOp::Ne(_) => Comparison::Ne,
        _ => return None,
    })
}

/// `expr`, or what it stands for: macros by example put an expression into invisible delimiters.
fn visible(mut expr: &Expr) -> &Expr {
    while let Expr::Group(group) = expr {
        expr = &group.expr;
    }
    expr
}

/// Whether the expression is `a = b`, `a += b` or the like.
fn is_assignment(expr: &Expr) -> bool {
    match expr {
        Expr::Assign(_) => true,
        Expr::Binary(binary) => is_compound_assignment(&binary.op),
        _ => false,
    }
}

/// Whether the statement is `*u` or an operation that begins so.
fn begins_with_star(statement: &Stmt) -> bool {
    let Stmt::Expr(expr, _) = statement else {
        return false;
    };
    let mut expr = expr;
    loop {
        expr = match expr {
            Expr::Unary(unary) => return matches!(unary.op, UnOp::Deref(_)),
            Expr::Binary(binary) => &binary.left,
            _ => return false,
        };
    }
}

fn is_compound_assignment(operator: &BinOp) -> bool {
    use BinOp::{AddAssign, DivAssign, MulAssign, SubAssign};
    matches!(
        operator,
        AddAssign(_) | SubAssign(_) | MulAssign(_) | DivAssign(_)
    )
}

fn is_condition(operator: &BinOp) -> bool {
    comparison(operator).is_some() || matches!(operator, BinOp::And(_) | BinOp::Or(_))
}

/// Why an operator that is none of `+ - * /` cannot stand between numbers.
fn no_arithmetic(operator: &BinOp) -> String {
    let symbol = operator.to_token_stream();
    match operator {
        BinOp::BitXor(_) => {
            format!("unsupported operator `{symbol}` in piece; a power is written `x.powi(2)`")
        }
        operator if is_compound_assignment(operator) => NO_ASSIGNMENT.to_owned(),
        _ => format!("unsupported operator `{symbol}` in piece; supported: {OPERATORS}"),
    }
}

/// How to call a function, in both ways.
fn usage(function: &Function) -> String {
    let name = function.name;
    let arguments = match (&function.form, function.arity()) {
        (Form::Power, _) => "2",
        (_, 1) => "",
        (_, 2) => "y",
        _ => "low, high",
    };
    let separator = if arguments.is_empty() { "" } else { ", " };
    format!("write `{name}(x{separator}{arguments})` or `x.{name}({arguments})`")
}

/// The attributes of the expressions that a piece supports.
fn attributes_of(expr: &Expr) -> &[Attribute] {
    match expr {
        Expr::Paren(expr) => &expr.attrs,
        Expr::Lit(expr) => &expr.attrs,
        Expr::Path(expr) => &expr.attrs,
        Expr::Unary(expr) => &expr.attrs,
        Expr::Binary(expr) => &expr.attrs,
        Expr::Call(expr) => &expr.attrs,
        Expr::MethodCall(expr) => &expr.attrs,
        Expr::If(expr) => &expr.attrs,
        Expr::Block(expr) => &expr.attrs,
        _ => &[],
    }
}
