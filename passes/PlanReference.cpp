//===- PlanReference.cpp - what a share plan means, by its definition -----===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "PlanReference.h"

#include "deepshare/Support/Error.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MathExtras.h"

#include <ATen/ATen.h>

using namespace deepshare;
using llvm::Error;
using llvm::Expected;

at::Tensor deepshare::tileMeans(const at::Tensor &X, int64_t Block) {
  at::Tensor Means = X.to(at::kDouble);
  // The mean of a cut tile's rows is that of its elements, since all of them are cut alike.
  for (int64_t Axis = 2; Axis < X.dim(); ++Axis) {
    std::vector<at::Tensor> Tiles;
    for (int64_t Start = 0; Start < X.size(Axis); Start += Block)
      Tiles.push_back(Means.narrow(Axis, Start, std::min(Block, X.size(Axis) - Start)).mean(Axis, /*keepdim=*/true));
    Means = at::cat(Tiles, Axis);
  }
  return Means;
}

/// The means of a pool's windows, which has the output \p Shape: sums by a convolution with ones, over the elements
/// that such a convolution counts.
static at::Tensor windowMeans(const Node &Pool, const at::Tensor &X, llvm::ArrayRef<int64_t> Shape) {
  int64_t Axes = X.dim() - 2;
  std::vector<int64_t> Kernel = Pool.intsAttribute("kernel_shape"), Pads = Pool.intsAttribute("pads");
  std::vector<int64_t> Strides = Pool.intsAttribute("strides", std::vector<int64_t>(Axes, 1));
  std::string Auto = Pool.stringAttribute("auto_pad", "NOTSET");
  std::vector<int64_t> Around; // pairs of the last axis first
  for (int64_t Axis = Axes - 1; Axis >= 0; --Axis) {
    int64_t Covered = (Shape[Axis] - 1) * Strides[Axis] + Kernel[Axis];
    int64_t Missing = std::max<int64_t>(Covered - X.size(Axis + 2), 0);
    int64_t First = Auto == "SAME_UPPER"   ? Missing / 2
                    : Auto == "SAME_LOWER" ? Missing - Missing / 2
                    : Pads.empty()         ? 0
                                           : Pads[Axis];
    // Rows past the last window are cut off by a negative pad.
    Around.insert(Around.end(), {First, Covered - First - X.size(Axis + 2)});
  }
  auto Sums = [&](const at::Tensor &T) {
    std::vector<int64_t> WeightShape(Kernel);
    WeightShape.insert(WeightShape.begin(), {X.size(1), 1});
    std::vector<int64_t> Zeros(Axes, 0), Ones(Axes, 1);
    return at::convolution(at::constant_pad_nd(T, Around), at::ones(WeightShape, at::kDouble), {}, Strides, Zeros, Ones,
                           /*transposed=*/false, Zeros, X.size(1));
  };
  at::Tensor Wide = X.to(at::kDouble);
  return Sums(Wide) / Sums(at::ones_like(Wide));
}

static at::Tensor averaged(const Node &Pool, const AveragePoolPlan &Planned, const at::Tensor &X,
                           llvm::ArrayRef<int64_t> Shape) {
  std::vector<int64_t> Spatial;
  for (int64_t Axis = 2; Axis < X.dim(); ++Axis)
    Spatial.push_back(Axis);
  at::Tensor Means =
      Pool.is("GlobalMaxPool") ? X.to(at::kDouble).mean(Spatial, /*keepdim=*/true) : windowMeans(Pool, X, Shape);
  std::vector<int64_t> ScaleShape(X.dim() - 1, 1);
  ScaleShape[0] = X.size(1);
  return (Means * at::tensor(Planned.Scale).to(at::kDouble).reshape(ScaleShape)).to(X.scalar_type());
}

Expected<std::unique_ptr<PlanReference>> PlanReference::attach(Executor &Exec, Model &M, const SharePlan &Plan) {
  Expected<std::vector<GateSite>> Sites = findGateSites(M);
  if (!Sites)
    return Sites.takeError();
  llvm::StringMap<const GateSite *> ByName;
  for (const GateSite &Site : *Sites)
    ByName[Site.Name] = &Site;

  std::unique_ptr<PlanReference> Reference(new PlanReference(Plan));
  for (unsigned Index = 0; Index < Plan.Sites.size(); ++Index) {
    const GateSite *Site = ByName.lookup(Plan.Sites[Index].Name);
    if (!Site)
      return makeError("the model has no gate '" + Plan.Sites[Index].Name + "', which the plan names");
    Exec.observe(Site->Input);
    Reference->SitesOf[Site->Input].push_back(Index);
    Exec.overrideNode(Site->Gate, [R = Reference.get(), Index](llvm::ArrayRef<at::Tensor>) {
      return std::vector<at::Tensor>{R->gate(Index)};
    });
  }
  for (const AveragePoolPlan &Planned : Plan.AveragePools) {
    const GateSite *Site = ByName.lookup(Planned.Name);
    if (!Site)
      return makeError("the model has no pool '" + Planned.Name + "', which the plan names");
    Exec.observe(Site->Output);
    Exec.overrideNode(Site->Gate,
                      [&Planned, Pool = Site->Gate, Shape = Site->Spatial](llvm::ArrayRef<at::Tensor> Inputs) {
                        return std::vector<at::Tensor>{averaged(*Pool, Planned, Inputs.front(), Shape)};
                      });
  }
  return Reference;
}

void PlanReference::observe(const Value &V, const at::Tensor &T) {
  for (unsigned Site : SitesOf.lookup(&V))
    Compared[Site] = T;
}

/// The DReLU of \p Source at the positions of site \p User, without the axis of channels.
at::Tensor PlanReference::bits(const GateSource &Source, unsigned User) const {
  at::Tensor X = Compared[Source.Site].narrow(1, Source.Channel, 1);
  at::Tensor Bits = (Source.Block == 1 ? X > 0 : tileMeans(X, Source.Block) > 0).squeeze(1);
  for (int64_t Axis = 2; Axis < X.dim(); ++Axis) {
    int64_t From = X.size(Axis), To = Compared[User].size(Axis);
    std::vector<int64_t> Positions;
    for (int64_t I = 0; I < To; ++I) {
      int64_t Position = From >= To ? I * llvm::divideCeil(From, To) : I / llvm::divideCeil(To, From);
      Positions.push_back(Position / Source.Block);
    }
    Bits = Bits.index_select(Axis - 1, at::tensor(Positions));
  }
  return Bits;
}

at::Tensor PlanReference::gate(unsigned Site) const {
  const at::Tensor &X = Compared[Site];
  std::vector<at::Tensor> Channels;
  for (const auto &[Index, Channel] : llvm::enumerate(Plan.Sites[Site].Channels)) {
    at::Tensor Slope = at::scalar_tensor(Channel.On, X.options());
    if (Channel.Source)
      Slope = at::where(bits(*Channel.Source, Site), Slope, at::scalar_tensor(Channel.Off, X.options()));
    Channels.push_back(X.select(1, static_cast<int64_t>(Index)) * Slope);
  }
  return at::stack(Channels, 1);
}
