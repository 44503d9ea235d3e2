from metalliance.coding.agreement import Agreement as Agreement
from metalliance.coding.agreement import agreement as agreement
from metalliance.coding.history import read_history as read_history
from metalliance.coding.review import Review as Review
from metalliance.coding.review import read_review as read_review
from metalliance.coding.splitting import split_review as split_review
from metalliance.coding.template import write_template as write_template
from metalliance.effectsize.aggregate import aggregate_effects as aggregate_effects
from metalliance.effectsize.convert import Estimate as Estimate
from metalliance.effectsize.convert import effect_size as effect_size
from metalliance.effectsize.correlated import correlation_covariance as correlation_covariance
from metalliance.effectsize.covariance import SamplingCovariance as SamplingCovariance
from metalliance.effectsize.dependence import sampling_covariance as sampling_covariance
from metalliance.effectsize.escalc import escalc as escalc
from metalliance.effectsize.table import EffectTable as EffectTable
from metalliance.errors import CodingError as CodingError
from metalliance.errors import ConvergenceError as ConvergenceError
from metalliance.errors import ConversionError as ConversionError
from metalliance.errors import DependenceWarning as DependenceWarning
from metalliance.errors import MetallianceError as MetallianceError
from metalliance.errors import MetallianceWarning as MetallianceWarning
from metalliance.errors import OutputError as OutputError
from metalliance.errors import PlanError as PlanError
from metalliance.errors import Problem as Problem
from metalliance.errors import SmallSampleWarning as SmallSampleWarning
from metalliance.errors import SpecificationError as SpecificationError
from metalliance.models.augment import augment as augment
from metalliance.models.compare import likelihood_ratio_test as likelihood_ratio_test
from metalliance.models.confint import confint as confint
from metalliance.models.effects import random_effects as random_effects
from metalliance.models.fit import fit as fit
from metalliance.models.inference import Inference as Inference
from metalliance.models.inference import infer as infer
from metalliance.models.missing import complete_rows as complete_rows
from metalliance.models.missing import missing_moderators as missing_moderators
from metalliance.models.predict import predict as predict
from metalliance.models.result import Fit as Fit
from metalliance.models.spread import heterogeneity as heterogeneity
from metalliance.models.studies import study_means as study_means
from metalliance.models.tidy import components as components
from metalliance.models.tidy import glance as glance
from metalliance.models.tidy import tidy as tidy
from metalliance.models.wald import wald_test as wald_test
from metalliance.report.write import write_report as write_report
from metalliance.sensitivity.permutation import permutation_test as permutation_test
from metalliance.sensitivity.refits import leave_one_out as leave_one_out
from metalliance.traitstate.moderators import moderators as moderators
from metalliance.traitstate.sophistication_analysis import (
    SophisticationAnalysis as SophisticationAnalysis,
)
from metalliance.traitstate.sophistication_analysis import sophistication as sophistication
from metalliance.workflow.analyse import analyse as analyse
from metalliance.workflow.analysis import Analysis as Analysis
from metalliance.workflow.plan import Plan as Plan
from metalliance.workflow.plan import read_plan as read_plan

__version__: str
