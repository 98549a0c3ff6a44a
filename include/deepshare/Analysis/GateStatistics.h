//===- GateStatistics.h - what calibration measures of gates -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_ANALYSIS_GATESTATISTICS_H
#define DEEPSHARE_ANALYSIS_GATESTATISTICS_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace deepshare {

/// A dense row-major matrix.
struct Matrix {
  unsigned Rows = 0;
  unsigned Columns = 0;
  std::vector<float> Values;

  Matrix() = default;
  Matrix(unsigned Rows, unsigned Columns) : Rows(Rows), Columns(Columns), Values(size_t(Rows) * Columns) {}
  float &operator()(unsigned Row, unsigned Column) { return Values[size_t(Row) * Columns + Column]; }
  float operator()(unsigned Row, unsigned Column) const { return Values[size_t(Row) * Columns + Column]; }
};

/// Moments of the channels of one site with gates of another (or of the same) site whose positions map onto its own.
/// Rows: channels of the replicate's site; columns: channels of the candidate's site.
struct PairMoments {
  unsigned Replicate; ///< index of the replicate's site
  unsigned Candidate; ///< index of the candidate's site
  unsigned Block = 1; ///< the candidate gate is the sign of the mean of a Block x Block tile; 1: of the element
  Matrix M;           ///< sum w x_r^2 d_p
  Matrix A;           ///< sum w x_r^2 d_p d_r
  /// For each candidate channel the fraction of its bits that ObservationOptions::Noise is expected to flip.
  std::vector<float> Flips;
  Matrix Both; ///< fraction of positions where both gates are open; only where both sites are one
};

/// Moments of a MaxPool's outputs m with the averages a of the same windows, by channel.
struct PoolMoments {
  std::vector<double> MaxMax;         ///< sum w m^2
  std::vector<double> MaxAverage;     ///< sum w m a
  std::vector<double> AverageAverage; ///< sum w a^2
};

/// Moments of one site's own channels.
struct SiteMoments {
  std::string Site;                               ///< GateSite::Name
  std::vector<double> S;                          ///< sum w x^2
  std::vector<double> R;                          ///< sum w x^2 d
  std::vector<double> Open;                       ///< fraction of positions where the gate is open
  std::optional<PoolMoments> Pool = std::nullopt; ///< of a MaxPool, where averages were measured
};

/// What calibration measured; DESIGN section 6 defines the sums. Sites that cannot share have empty vectors. Sums are
/// scaled to one image (divided by the number of images).
struct GateStatistics {
  uint64_t Images = 0;
  /// Pairs of a channel and another site's gate that were not measured, because memory was short.
  uint64_t LeftOut = 0;
  /// What was taken where Weighting::Auto found that no error weighs anything: the name of another weighting.
  std::string WeightedBy;
  std::vector<SiteMoments> Sites;
  std::vector<PairMoments> Pairs;
};

/// What statistics are drawn from, for the note of what is planned by them: "512 images, seed 0", and how much was left
/// out.
std::string describe(const GateStatistics &Statistics, uint64_t Seed);

/// The best affine gate y = x * (d ? On : Off) for a replicate, and the weighted squared error that it leaves.
struct AffineGate {
  double On;
  double Off;
  double Loss;
};

/// Best gate for a channel with moments \p S and \p R and original slopes \p On and \p Off, driven by a gate with joint
/// moments \p M and \p A (DESIGN section 6, generalised from ReLU's slopes 1, 0: with T1 = Off*M + (On-Off)*A and
/// T0 = Off*(S-M) + (On-Off)*(R-A), the slopes are T1/M and T0/(S-M)). Empty halves get slope 0.
AffineGate fitAffine(double S, double R, double M, double A, double On = 1, double Off = 0);

/// The best gate with slopes s*t1 and s*t0, t1 and t0 in {0, 1, -1}, whose scale s > 0 can be folded away (all but t1 =
/// t0 = 0). For given t the loss falls by (t1*T1 + t0*T0)^2 / (t1^2 M + t0^2 (S-M)) at s = the same quotient with the
/// numerator not squared, so that t has the signs of T1 and T0 or is 0, and the best of three falls is left to take:
///   T1^2 / M at s = |T1| / M,    T0^2 / (S-M) at s = |T0| / (S-M),    (|T1| + |T0|)^2 / S at s = (|T1| + |T0|) / S
AffineGate fitScaled(double S, double R, double M, double A, double On = 1, double Off = 0);

/// The weighted squared error of the gate with slopes \p NewOn and \p NewOff, moments and original slopes as above.
double gateLoss(double S, double R, double M, double A, double NewOn, double NewOff, double On = 1, double Off = 0);

/// Best slope without a gate: both slopes are (Off*S + (On-Off)*R) / S.
AffineGate fitLinear(double S, double R, double On = 1, double Off = 0);

/// Averages in the place of maxima, m ~ Scale[c] * a, and the weighted squared error that they leave.
struct AverageFit {
  std::vector<float> Scale;
  double Loss;
};

/// The best scale of each channel, MaxAverage / AverageAverage, which leaves MaxMax - MaxAverage^2 / AverageAverage; in
/// channels where the best is not positive, the scale is 1.
AverageFit fitAverage(const PoolMoments &Pool);

} // namespace deepshare

#endif // DEEPSHARE_ANALYSIS_GATESTATISTICS_H
