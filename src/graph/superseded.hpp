// Letting go of restores that a later one has taken the place of.
#pragma once

#include "graph/restoration.hpp"

#include <memory>

namespace ckpt::graph {

/// Lets go of earlier restores of `root`, files and mappings included, that can no longer be noticed: nobody holds the
/// status, and whatever object comes, the latest has a value for it wherever the earlier one has. Without this a
/// program that restores a part of each new checkpoint would hold all of them. Then notes the latest, for which
/// `root.restores` must have room.
void supersede(Node& root, const std::shared_ptr<Restoration>& latest) noexcept;

}  // namespace ckpt::graph
