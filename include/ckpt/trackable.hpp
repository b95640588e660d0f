// The base class of objects whose state is saved and restored.
#pragma once

#include <ckpt/variable.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace ckpt {

class Child;

namespace graph {
struct Node;
}  // namespace graph

/// An object that has variables, or other objects, under names. Derive from it, create variables with add_variable, and
/// name the parts with track; from then on the object is saved and restored as part of every Checkpoint that reaches
/// it. Objects may share parts and may form cycles.
///
/// A name is UTF-8 without '/' and control characters, not empty, "." or "..", at most kMaxPathBytes long; joined by
/// '/', names give object paths (`net/l1/kernel`). Every function below throws invalid_argument for another name, and
/// already_exists when the object already tracks another living child under the name.
///
/// Lifetime: an object keeps its variables alive. It does not keep other objects alive: the program owns them, and
/// saving after one of them was destroyed throws invalid_argument, which names its path. Objects can be moved: the
/// place in the graph moves along, and using the moved-from object throws invalid_argument. They cannot be copied.
///
/// Restored values may come before the variable exists: add_variable, add_slot and track then apply them at once,
/// and throw mismatch when dtype or shape are not those of the file, corrupt or io when the value cannot be read. After
/// an exception nothing was added or changed (but see after_restore).
///
/// One thread at a time may use the objects that one checkpoint reaches.
class Trackable {
 public:
  Trackable(const Trackable&) = delete;  // one object has one place in the graph: move it, or share a reference to it
  Trackable& operator=(const Trackable&) = delete;
  Trackable(Trackable&& other) noexcept;
  Trackable& operator=(Trackable&& other) noexcept;
  virtual ~Trackable();

 protected:
  Trackable();

  /// For state that the object keeps in a form of its own (a random generator, the position in a data set): writes it
  /// into variables of this object. Called before every save that reaches the object, once, also when such a call has
  /// added it (a hundred times over; then the save throws limit). What it throws ends the save, before anything is
  /// written. A save that begins while an earlier one of an AsyncSaver still reads (in the modes overlap and hand_off,
  /// with more than one in flight) calls it, too: it may then set text and bytes, whose old value stays for the earlier
  /// save, and must not write to other variables.
  virtual void before_save() {}

  /// The way back: called after variables of this object got values from a file, when all values of that restore are in
  /// place. Not called for a value that a variable has from its creation, which add_variable returns. What it throws
  /// comes out of restore() when all objects were told (the first of several), or of track() when the object came
  /// later, which then does not track it; values that were assigned stay.
  virtual void after_restore() {}

  /// Creates a variable. If a restore left a value for it, the variable gets that and `init` is not called; if that
  /// restore asked for Binding::view or copy_on_write, it is used where it lies. This object goes on saving and
  /// restoring the variable that was created: assigning another Variable to the handle (`layer.w = other`) makes the
  /// handle alone refer to the other one. Assign values instead.
  template <Element T>
  Variable<T> add_variable(std::string_view name, const Shape& shape, const Initializer<T>& init = {}) {
    return Variable<T>{add_variable(name, dtype_of<T>, shape, filler(init))};
  }

  /// The same for a dtype known at run time; `init` receives zeroed bytes.
  using ByteInitializer = std::function<void(AnyVariable&)>;
  AnyVariable add_variable(std::string_view name, DType dtype, const Shape& shape, const ByteInitializer& init = {});

  /// A variable of text or bytes of any length, for Variable<std::string> and Variable<Bytes>.
  template <VariableLength T>
  Variable<T> add_variable(std::string_view name, const T& initial = {}) {
    const auto fill = [&initial](AnyVariable& variable) { Variable<T>{variable}.set(initial); };
    return Variable<T>{add_variable(name, Variable<T>::kDType, Shape{}, fill)};
  }

  /// Makes an object (an lvalue that derives from Trackable) or a variable a child of this one. Tracking the same child
  /// again under the same name does nothing.
  void track(std::string_view name, const Child& child);

  /// State that this object (an optimizer) keeps for a variable, under a name of its own ("m", "v"), with the shape of
  /// that variable or another. It is saved when the variable is saved too, as `<this>/<name>/<variable>`, and restored
  /// when it, this object and the variable are there, in whatever order they come; that variable may be a slot itself
  /// (an average over a moment). When the slot exists already, that one is returned (and its dtype and shape checked),
  /// so a training step may simply ask for it. A tracked slot is saved as what is tracked; a save throws
  /// invalid_argument when another variable has the slot's path.
  template <Element T>
  Variable<T> add_slot(const AnyVariable& variable, std::string_view name, const Initializer<T>& init = {}) {
    return Variable<T>{add_slot(variable, name, dtype_of<T>, variable.shape(), filler(init))};
  }
  template <Element T>
  Variable<T> add_slot(const AnyVariable& variable, std::string_view name, const Shape& shape,
                       const Initializer<T>& init = {}) {
    return Variable<T>{add_slot(variable, name, dtype_of<T>, shape, filler(init))};
  }
  AnyVariable add_slot(const AnyVariable& variable, std::string_view name, DType dtype, const Shape& shape,
                       const ByteInitializer& init = {});

 private:
  friend struct graph::Access;

  template <Element T>
  static ByteInitializer filler(const Initializer<T>& init) {
    return [&init](AnyVariable& variable) { init(Variable<T>{variable}.mutable_values()); };
  }

  std::shared_ptr<graph::Node> node_;
};

/// What may be tracked: an object that derives from Trackable (an lvalue: it must outlive its use), or a variable.
class Child {
 public:
  template <typename T>
    requires(!std::same_as<std::remove_cvref_t<T>, Child>)
  Child(T&& child) {
    using Type = std::remove_cvref_t<T>;
    constexpr bool kObject = std::derived_from<Type, Trackable>;
    constexpr bool kVariable = std::derived_from<Type, AnyVariable>;
    static_assert(
        !requires {
          *child;
          child.operator->();
        } && !std::is_pointer_v<Type>, "ckpt: track the object and not a pointer to it: track(name, *pointer)");
    static_assert(kObject || kVariable,
                  "ckpt: this cannot be tracked: only ckpt::Variable and classes that derive from ckpt::Trackable hold "
                  "state that is saved (for a plain number, declare a ckpt::Variable<T>; for a vector of objects, a "
                  "ckpt::List; the base class has to be public)");
    static_assert(!kObject || std::is_lvalue_reference_v<T>,
                  "ckpt: a temporary object cannot be tracked: it would be gone before the first save");
    static_assert(!kObject || !std::is_const_v<std::remove_reference_t<T>>,
                  "ckpt: a const object cannot be tracked: restoring changes it");
    if constexpr (kVariable) {
      set_variable(child);
    } else if constexpr (kObject && std::is_lvalue_reference_v<T> && !std::is_const_v<std::remove_reference_t<T>>) {
      set_object(child);
    }
  }

 private:
  friend struct graph::Access;
  void set_variable(const AnyVariable& variable);
  void set_object(Trackable& object);

  std::shared_ptr<graph::Node> node_;
};

}  // namespace ckpt
