// The calls that let objects bring their variables up to date before a save.
#pragma once

#include "graph/walk.hpp"

#include <memory>

namespace ckpt::graph {

/// What a root reaches, after Trackable::before_save of every object. Objects that such a call adds are asked, too.
Walk walk_for_save(const std::shared_ptr<Node>& root);

/// To be called when an object gets a child or a slot, or is destroyed.
void note_change() noexcept;

}  // namespace ckpt::graph
